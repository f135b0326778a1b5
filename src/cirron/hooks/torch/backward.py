"""`backward`: a backward pass, through `Tensor.backward` or `torch.autograd.backward`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import torch

from cirron.hooks.names import BACKWARD
from cirron.hooks.torch.nonfinite import marking_nonfinite

if TYPE_CHECKING:
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target
    from cirron.hooks.torch.recorded import Training


def hook_backward(target: Target, training: Training, patches: Patches) -> None:
    """Have each backward pass recorded, but for one within another, as checkpointing makes them.

    `torch.compile` traces into no backward pass, so that this is no function written in Python.
    """
    original = torch.autograd.backward  # which Tensor.backward calls by this name too
    in_scope = training.in_scope(BACKWARD, marking_nonfinite(target, original))
    patches.set(torch.autograd, "backward", functools.update_wrapper(in_scope, original))
