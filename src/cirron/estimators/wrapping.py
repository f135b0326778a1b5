"""What `cirron.wrap` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cirron.estimators.parts import is_estimator
from cirron.estimators.recorded_class import recording_of, turn_into

if TYPE_CHECKING:
    from cirron.instance import Cirron

T = TypeVar("T")


def wrap(estimator: T, owner: Cirron) -> T:
    """The estimator itself, which from now on records into `owner`; any other object as it is.

    Raises:
        Exception: its class lets nobody make a subclass; the estimator is as it was.
    """
    recording = recording_of(estimator)
    if is_estimator(estimator) and (recording is None or recording.owner is not owner):
        turn_into(estimator, owner, None)
    return estimator
