"""What gradients look like at the end of an epoch, also of a program that has cleared them by then."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from cirron import signals
from cirron.snapshots.keep import ONLY_STATS
from cirron.snapshots.known import Known
from cirron.snapshots.looks import ATTR_NONFINITE, Look, look_at
from cirron.snapshots.subjects import Subject

if TYPE_CHECKING:
    from torch import Tensor
    from torch.multiprocessing.reductions import StorageWeakRef

    from cirron.snapshots.on_devices import OnDevices
    from cirron.snapshots.variables import Variable

State: TypeAlias = "tuple[StorageWeakRef, int, int]"  # what changes when a tensor does, but through `data`


class _Kept(NamedTuple):
    """A look at a gradient.

    Attributes:
        state: of the gradient when it was looked at; None where nothing tells it from another one.
        divisor: by what it was divided: a scaler is known from its first step on only.
    """

    state: State | None
    divisor: float
    look: Look

    def is_of(self, gradient: Tensor, divisor: float) -> bool:
        """Not if it may have changed: one with elements that are not finite may have been mended through `data`."""
        if self.state is None or ATTR_NONFINITE in self.look.attrs:
            return False
        is_same = divisor in (1, self.divisor)  # 1: a fused optimizer has divided it, unseen by torch
        return is_same and self.state == state_of(gradient)


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
        self._kept: Known[_Kept] = Known()
        self._before_clearing: Known[Look] = Known()

    def keep(self, subjects: Iterable[Subject], only: Container[int] | None) -> list[tuple[Subject, Look]]:
        """Look at the gradients that are there now.

        Args:
            subjects: the parameters.
            only: ids of those that matter; None for all.
        """
        seen = []
        for each in subjects:
            gradient = _gradient(each) if only is None or id(each.tensor) in only else None
            if gradient is not None:
                kept, look = self._kept.get(each), self._look_at(each, gradient)
                if kept is None or kept.look is not look:
                    self._kept.put(each, _Kept(state_of(gradient), self._divisor(each.tensor), look))
                seen.append((each, look))
        return seen

    def look(self, subject: Subject) -> Look | None:
        """The gradient as it is; else as it was when it was kept; None where there was none."""
        kept, gradient = self._kept.get(subject), _gradient(subject)
        if gradient is None:
            return None if kept is None else kept.look
        if kept is not None:
            self._before_clearing.put(subject, kept.look)
        return self._look_at(subject, gradient)

    def unless_cleared(self, subject: Subject, look: Look) -> Look:
        """A look whose statistics are there; where the program has cleared the gradient in place, the one before."""
        return self._before_clearing.get(subject) or look if _is_zero(look) else look

    def forget(self, subjects: Iterable[Subject]) -> None:
        """An epoch is over: from here on nothing is kept of these."""
        for each in subjects:
            self._kept.forget(each)
            self._before_clearing.forget(each)

    def _look_at(self, subject: Subject, gradient: Tensor) -> Look:
        kept, divisor = self._kept.get(subject), self._divisor(subject.tensor)
        if kept is not None and kept.is_of(gradient, divisor):
            return kept.look
        return look_at(gradient, self._on_devices, self.keeping, divisor)


def _gradient(subject: Subject) -> Tensor | None:
    return getattr(subject.tensor, "grad", None)


def _is_zero(look: Look) -> bool:
    return look.stats is not None and look.stats.norm == 0 and ATTR_NONFINITE not in look.attrs


def state_of(tensor: Tensor) -> State | None:
    """None where torch cannot tell.

    The next tensor may get the same id and the same memory, but as long as there is a weak reference to its storage no
    other storage gets that one's address. Torch converts no tensors in place that have weak references themselves.
    """
    from torch.multiprocessing.reductions import StorageWeakRef

    try:
        storage = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]  # torch annotates it not
        return storage, tensor._version, int(tensor.storage_offset())
    except Exception as error:  # inference tensors have no version, sparse ones no storage
        if signals.has_raised(error):
            raise
        return None
