"""What gradients look like at the end of an epoch, also of a program that has cleared them by then."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING, Any

from cirron.snapshots.keep import ONLY_STATS
from cirron.snapshots.looks import Look, look_at
from cirron.snapshots.subjects import Subject

if TYPE_CHECKING:
    from torch import Tensor

    from cirron.snapshots.on_devices import OnDevices
    from cirron.snapshots.variables import Variable

State = tuple[int, int, int]  # what changes when a tensor does


class Gradients:
    """Looks at gradients, and keeps what it saw for the case that they are gone at the next look.

    Args:
        divisor: what a parameter's gradient is multiplied by at the moment.
        on_devices: as for `look_at`.

    Attributes:
        keeping: of the looks, `keep` of `look_at`.
    """

    def __init__(self, divisor: Callable[[Tensor | Variable], float], on_devices: OnDevices) -> None:
        self.keeping = ONLY_STATS
        self._divisor = divisor
        self._on_devices = on_devices
        self._kept: dict[str, tuple[State | None, Look]] = {}

    def keep(self, subjects: Iterable[Subject], only: Container[int] | None) -> list[tuple[Subject, Look]]:
        """Look at the gradients that are there now.

        Args:
            subjects: the parameters.
            only: ids of those that matter; None for all.
        """
        wanted = (each for each in subjects if only is None or id(each.tensor) in only)
        looks = ((each, self._look_at(each)) for each in wanted)
        return [(each, look) for each, look in looks if look is not None]

    def look(self, subject: Subject) -> Look | None:
        """The gradient as it is; else as it was when it was kept; None where there was none."""
        look = self._look_at(subject)
        if look is not None:
            return look
        return self._kept[subject.name][1] if subject.name in self._kept else None

    def forget(self) -> None:
        """An epoch is over: from here on nothing is kept."""
        self._kept.clear()

    def _look_at(self, subject: Subject) -> Look | None:
        gradient = getattr(subject.tensor, "grad", None)
        if gradient is None:
            return None
        state = state_of(gradient)
        before = self._kept.get(subject.name)
        if before is not None and state is not None and before[0] == state:
            return before[1]
        look = look_at(gradient, self._on_devices, self.keeping, self._divisor(subject.tensor))
        self._kept[subject.name] = state, look
        return look


def state_of(tensor: Any) -> State | None:
    """None where torch cannot tell, or it is none of torch's."""
    try:
        return id(tensor), tensor._version, tensor.data_ptr()
    except Exception:  # noqa: BLE001 - inference tensors have no version, fake ones no address
        return None
