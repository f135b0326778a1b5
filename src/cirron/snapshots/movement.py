"""How far the weights have come since the look before, compared with how large they were."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from cirron.snapshots.copies import copy_of
from cirron.snapshots.looks import local_part

if TYPE_CHECKING:
    from torch import Tensor


class _Seen(NamedTuple):
    """A sample of a tensor.

    Attributes:
        of: the tensor.
        values: float64, in host memory.
        weight: how many elements each value stands for.
    """

    of: weakref.ref[Tensor]
    values: Tensor
    weight: float


class Movement:
    """Remembers a sample of each tensor, which is bounded however large the tensor is.

    Example:
        movement = Movement()
        movement.begin(tensors)
        optimizer.step()
        movement.ratio(tensors)    # 0.003
    """

    def __init__(self) -> None:
        self._before: dict[int, _Seen] = {}

    def begin(self, tensors: Iterable[Tensor]) -> None:
        """Remember those that are not known yet."""
        for tensor in tensors:
            if self._known(tensor) is None:
                seen = _look(tensor)
                if seen is not None:
                    self._before[id(tensor)] = seen

    def ratio(self, tensors: Iterable[Tensor]) -> float | None:
        """The norm of all differences by the norm of all values before; from here on these are the values before.

        None where no tensor was known, or all were zero. What is known by a sample counts by the share of it.
        """
        moved = size = 0.0
        now: dict[int, _Seen] = {}
        for tensor in tensors:
            before, seen = self._known(tensor), _look(tensor)
            if seen is not None:
                now[id(tensor)] = seen
            if before is not None and seen is not None and before.values.shape == seen.values.shape:
                moved += seen.weight * float((seen.values - before.values).square().sum())
                size += seen.weight * float(before.values.square().sum())
        self._before = now
        return math.sqrt(moved / size) if size > 0 and math.isfinite(size) else None

    def _known(self, tensor: Tensor) -> _Seen | None:
        seen = self._before.get(id(tensor))
        return seen if seen is not None and seen.of() is tensor else None


def _look(tensor: Tensor) -> _Seen | None:
    """None where there is nothing to be seen, or nothing that moves by small steps."""
    import torch

    if not (tensor.is_floating_point() or tensor.is_complex()):
        return None
    try:
        local = local_part(tensor)
        values = copy_of(local, "sampled", 1)
    except Exception:  # noqa: BLE001 - the look at its statistics says why
        return None
    wide = torch.view_as_real(values) if values.is_complex() else values
    weight = local.numel() / values.numel() if values.numel() > 0 else 0.0
    return _Seen(weakref.ref(tensor), wide.double(), weight)
