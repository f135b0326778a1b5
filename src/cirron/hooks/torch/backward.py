"""`backward`: a backward pass, through `Tensor.backward` or `torch.autograd.backward`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from cirron.hooks.names import BACKWARD
from cirron.hooks.torch.nonfinite import checked

if TYPE_CHECKING:
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target
    from cirron.hooks.torch.recorded import Training


def hook_backward(target: Target, training: Training, patches: Patches) -> None:
    """Have each backward pass recorded, but for one within another, as checkpointing makes them."""
    # Tensor.backward calls it by this name too.
    backward = checked(target, torch.autograd.backward)
    patches.set(torch.autograd, "backward", training.recorded(BACKWARD, backward))
