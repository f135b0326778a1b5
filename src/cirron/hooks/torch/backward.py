"""`backward`: a backward pass, through `Tensor.backward` or `torch.autograd.backward`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch
from torch.compiler import is_dynamo_compiling

from cirron.hooks.names import BACKWARD
from cirron.hooks.torch.nonfinite import FirstNonfinite

if TYPE_CHECKING:
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target
    from cirron.hooks.torch.recorded import Training


def hook_backward(target: Target, training: Training, patches: Patches) -> None:
    """Have each backward pass recorded, but for one within another, as checkpointing makes them."""
    original = torch.autograd.backward  # which Tensor.backward calls by this name too
    first = FirstNonfinite(target)
    is_first, in_scope = first.is_it, training.in_scope(BACKWARD, original)
    marked_in_scope = training.in_scope(BACKWARD, first.marked(original))

    @functools.wraps(original)
    def backward(*args: Any, **kwargs: Any) -> Any:
        if is_dynamo_compiling():
            return original(*args, **kwargs)
        if args and is_first(args[0]):
            return marked_in_scope(*args, **kwargs)
        return in_scope(*args, **kwargs)

    patches.set(torch.autograd, "backward", backward)
