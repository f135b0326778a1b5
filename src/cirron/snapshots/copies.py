"""The values of tensors, all of them or a sample, copied so that the training may go on."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cirron import signals
from cirron.snapshots.keep import SAMPLED

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from cirron.snapshots.keep import Keep


def copy_of(tensor: Tensor, keep: Keep, divisor: float) -> Tensor:
    """A copy in host memory, in row-major order.

    Args:
        tensor: a dense one, whose memory is there.
        keep: all elements, or a sample of them, which comes flat.
        divisor: what the elements are to be divided by.
    """
    import torch

    with torch.no_grad():
        part = sample(tensor, keep.sample_elements(tensor.numel())) if keep.mode == SAMPLED else tensor
        copy = torch.empty(part.shape, dtype=part.dtype, device="cpu")
        copy.copy_(part)
        return copy if divisor == 1 else copy.div_(divisor)


def sample(tensor: Tensor, count: int) -> Tensor:
    """At most `count` elements, evenly spaced in row-major order: of `n` the ones at `k * n // count`."""
    import torch

    size = tensor.numel()
    if size <= count:
        return tensor.reshape(-1)
    places = _places(size, count, tensor.device)
    try:
        return torch.take(tensor, places)
    except (RuntimeError, NotImplementedError) as error:  # of types such as uint16, little more than storage
        if signals.has_raised(error):
            raise
        return tensor.reshape(-1)[places]


@lru_cache(maxsize=64)
def _places(size: int, count: int, device: torch.device) -> Tensor:
    import torch

    return torch.arange(count, device=device) * size // count
