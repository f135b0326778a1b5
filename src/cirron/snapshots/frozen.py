"""Frozen parameters that somebody changes all the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from cirron.snapshots.known import Known
from cirron.snapshots.movement import Movement

if TYPE_CHECKING:
    from cirron.snapshots.subjects import Subject


class Frozen:
    """Knows which frozen parameters are to be looked at: new ones, and those that are not what they were.

    Torch counts changes, but not those through `data`, as of an average of weights; these are known by their values.
    """

    def __init__(self) -> None:
        self._versions: Known[tuple[int, int]] = Known()
        self._values = Movement()

    def changed(self, there: Sequence[Subject]) -> list[Subject]:
        """Those of these parameters."""
        frozen = [each for each in there if not each.is_trained]
        moved = {id(each) for each in self._values.moved(frozen)}
        changed = [each for each in frozen if id(each) in moved or not self._is_known(each)]
        self._remember(changed)
        for each in there:
            if each.is_trained:  # and new when it is frozen again
                self._versions.forget(each)
        return changed

    def forget_all_but(self, there: Iterable[Subject]) -> None:
        """See `Known.forget_all_but`."""
        self._versions.forget_all_but(there)
        self._values.forget_all_but(there)

    def _is_known(self, subject: Subject) -> bool:
        version = subject.version
        return self._values.knows(subject) if version is None else self._versions.get(subject) == version

    def _remember(self, changed: Sequence[Subject]) -> None:
        self._values.renew(changed)
        for each in changed:
            version = each.version
            if version is not None:
                self._versions.put(each, version)
