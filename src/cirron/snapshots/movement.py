"""How far the weights have come since the look before, compared with how large they were."""

from __future__ import annotations

import math
import weakref
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cirron.snapshots.copies import sample
from cirron.snapshots.looks import local_part

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE = 256  # elements of a tensor: each is a miss of the cache


class _Seen(NamedTuple):
    """A sample of a tensor.

    Attributes:
        of: the tensor.
        values: in host memory, as float64.
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
        self._before |= _look([each for each in tensors if not self._knows(each)])

    def ratio(self, tensors: Sequence[Tensor]) -> float | None:
        """The norm of all differences by the norm of all values before; from here on these are the values before.

        None where no tensor was known, or all were zero. What is known by a sample counts as what it stands for.
        """
        known = [id(each) for each in tensors if self._knows(each)]
        before, now = self._before, _look(tensors)
        self._before = {key: seen for key, seen in before.items() if seen.of() is not None} | now
        pairs = [(before[key], now[key]) for key in known if key in now]
        pairs = [(old, new) for old, new in pairs if old.values.shape == new.values.shape]
        moved, size = _squares(pairs)
        return math.sqrt(moved / size) if size > 0 else None

    def has_moved(self, tensors: Sequence[Tensor]) -> bool:
        """Whether one of them is not what it was, as far as it was known."""
        now = _look([each for each in tensors if self._knows(each)])
        return any(not self._before[key].values.equal(seen.values) for key, seen in now.items())

    def _knows(self, tensor: Tensor) -> bool:
        seen = self._before.get(id(tensor))
        return seen is not None and seen.of() is tensor


def _squares(pairs: Sequence[tuple[_Seen, _Seen]]) -> tuple[float, float]:
    """Of all differences, and of all values before."""
    if not pairs:
        return 0.0, 0.0
    import torch

    old, new = (torch.cat([each.values for each in side]) for side in zip(*pairs, strict=True))
    # Nothing here may begin a parallel region, as `repeat_interleave` does: in a forked child that would wait for ever.
    weights = torch.cat([torch.full_like(each.values, each.weight) for each, _ in pairs])
    return float((new - old).square().mul_(weights).sum()), float(old.square().mul_(weights).sum())


def _look(tensors: Sequence[Tensor]) -> dict[int, _Seen]:
    """A sample of each that moves by small steps and can be read, with one transfer for those of a kind."""
    if not tensors:  # nor is torch in every process
        return {}
    import torch

    alike: dict[tuple[torch.device, torch.dtype], list[tuple[Tensor, int, Tensor]]] = defaultdict(list)
    with torch.no_grad():
        for tensor in tensors:
            local = _readable(tensor)
            if local is not None:
                alike[local.device, local.dtype].append((tensor, local.numel(), sample(local, SAMPLE)))
        return {key: seen for group in alike.values() for key, seen in _fetch(group)}


def _readable(tensor: Tensor) -> Tensor | None:
    try:
        local = local_part(tensor, {})
        is_number = local.is_floating_point() or local.is_complex()
        return local if is_number and local.numel() > 0 else None
    except Exception:  # noqa: BLE001 - the look at its statistics says why
        return None


def _fetch(group: Sequence[tuple[Tensor, int, Tensor]]) -> Iterable[tuple[int, _Seen]]:
    import torch

    together = torch.cat([part for _, _, part in group]).cpu()
    wide = torch.view_as_real(together.resolve_conj()) if together.is_complex() else together
    values = torch.split(wide.double(), [part.numel() for _, _, part in group])
    for (tensor, size, part), value in zip(group, values, strict=True):
        yield id(tensor), _Seen(weakref.ref(tensor), value.reshape(-1), size / part.numel())
