"""How far the weights have come since the look before, compared with how large they were."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cirron import signals
from cirron.snapshots.copies import sample
from cirron.snapshots.known import Known
from cirron.snapshots.looks import local_part
from cirron.snapshots.variables import float_sample, is_variable

if TYPE_CHECKING:
    from torch import Tensor

    from cirron.snapshots.subjects import Subject
    from cirron.snapshots.variables import Variable

SAMPLE = 256  # elements of a tensor: each is a miss of the cache
_LEAST_SQUARE = 1e-200  # of a vector; that of a smaller one has lost digits


class _Seen(NamedTuple):
    """A sample of a tensor.

    Attributes:
        values: in host memory, flat, as float64: an array of numpy for a variable, a tensor of torch else.
        weight: how many elements each value stands for.
    """

    values: Any
    weight: float


class Movement:
    """Remembers a sample of each tensor, which is bounded however large the tensor is.

    Example:
        movement = Movement()
        movement.begin(parameters)
        optimizer.step()
        movement.ratio(parameters)    # 0.003
    """

    def __init__(self) -> None:
        self._before: Known[_Seen] = Known()

    def begin(self, there: Sequence[Subject]) -> None:
        """Remember those that are not known yet."""
        self.renew([each for each in there if not self.knows(each)])

    def ratio(self, there: Sequence[Subject]) -> float | None:
        """The norm of all differences by the norm of all values before; from here on these are the values before.

        None where no tensor was known, or all were zero; NaN where a value is. What is known by a sample counts as what
        it stands for.
        """
        pairs = []
        for each, now in _look(there):
            before = self._before.get(each)
            if before is not None and before.values.shape == now.values.shape:
                pairs.append((before, now))
            self._before.put(each, now)
        moved, size = _norms(pairs)
        return None if size == 0 else moved / size

    def renew(self, there: Sequence[Subject]) -> None:
        """Remember these as they are now."""
        for each, now in _look(there):
            self._before.put(each, now)

    def moved(self, there: Sequence[Subject]) -> list[Subject]:
        """Those that are not what they were, as far as they were known."""
        looks = _look([each for each in there if self.knows(each)])
        return [each for each, now in looks if not _is_same(self._before.get(each), now)]

    def forget_all_but(self, there: Iterable[Subject]) -> None:
        """See `Known.forget_all_but`."""
        self._before.forget_all_but(there)

    def knows(self, subject: Subject) -> bool:
        """Whether it is remembered."""
        return self._before.get(subject) is not None


def _is_same(before: _Seen | None, now: _Seen) -> bool:
    if before is None or before.values.shape != now.values.shape:
        return False
    old, new = before.values, now.values
    return bool(((old == new) | ((old != old) & (new != new))).all())  # NaN is what it was too


def _norms(pairs: Sequence[tuple[_Seen, _Seen]]) -> tuple[float, float]:
    """Of all differences, and of all values before."""
    moved = [math.sqrt(old.weight) * _norm(new.values - old.values) for old, new in pairs]
    return math.hypot(*moved), math.hypot(*(math.sqrt(old.weight) * _norm(old.values) for old, _ in pairs))


def _norm(values: Any) -> float:
    square = float(values.dot(values))
    if _LEAST_SQUARE < square < math.inf:
        return math.sqrt(square)
    return math.hypot(*values.tolist())  # slower, and at home with numbers whose squares are none


def _look(there: Sequence[Subject]) -> Iterator[tuple[Subject, _Seen]]:
    """A sample of each that moves by small steps and can be read."""
    for each in there:
        if is_variable(each.tensor) and (seen := _look_at(each.tensor)) is not None:
            yield each, seen
    yield from _look_together([each for each in there if not is_variable(each.tensor)])


def _look_at(variable: Variable) -> _Seen | None:
    try:
        values = float_sample(variable, SAMPLE)
    except Exception as error:  # the look at its statistics says why
        if signals.has_raised(error):
            raise
        return None
    return None if values is None else _Seen(values, math.prod(variable.shape) / values.size)


class _Part(NamedTuple):
    """A sample where its tensor is.

    Attributes:
        of: the parameter.
        size: how many elements it has in all.
        sample: some of them, flat.
    """

    of: Subject
    size: int
    sample: Tensor


def _look_together(there: Sequence[Subject]) -> list[tuple[Subject, _Seen]]:
    """With one transfer for those of a kind."""
    if not there:  # nor is torch in every process
        return []
    import torch

    alike: dict[tuple[torch.device, torch.dtype], list[_Part]] = defaultdict(list)
    with torch.no_grad():
        for each in there:
            part = _part(each)
            if part is not None:
                alike[part.sample.device, part.sample.dtype].append(part)
        return [seen for parts in alike.values() for seen in _fetch(parts)]


def _part(subject: Subject) -> _Part | None:
    tensor: Any = subject.tensor
    try:
        local = local_part(tensor, {})
        is_number = local.is_floating_point() or local.is_complex()
        size = local.numel() if is_number else 0
        return _Part(subject, size, sample(local, SAMPLE)) if size > 0 else None
    except Exception as error:  # as above
        if signals.has_raised(error):
            raise
        return None


def _fetch(parts: Sequence[_Part]) -> list[tuple[Subject, _Seen]]:
    """All of them, or what can be had of them one by one."""
    try:
        return list(_fetch_together(parts))
    except Exception as error:  # as above, of one of them
        if signals.has_raised(error):
            raise
        return [] if len(parts) == 1 else [seen for each in parts for seen in _fetch([each])]


def _fetch_together(parts: Sequence[_Part]) -> Iterator[tuple[Subject, _Seen]]:
    import torch

    together = torch.cat([part.sample for part in parts]).cpu()
    wide = torch.view_as_real(together.resolve_conj()) if together.is_complex() else together
    values = torch.split(wide.double(), [part.sample.numel() for part in parts])
    for part, value in zip(parts, values, strict=True):
        yield part.of, _Seen(value.reshape(-1), part.size / part.sample.numel())
