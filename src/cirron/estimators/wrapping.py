"""What `cirron.wrap` does."""

from __future__ import annotations

from typing import TypeVar

from cirron.estimators.parts import is_estimator
from cirron.estimators.recorded_class import Owner, recording_of, turn_into

T = TypeVar("T")


def wrap(estimator: T, owner: Owner) -> T:
    """The estimator itself, which from now on records for `owner`; any other object as it is.

    Raises:
        Exception: its class lets nobody make a subclass; the estimator is as it was.
    """
    recording = recording_of(estimator)
    if is_estimator(estimator) and (recording is None or recording.owner != owner):
        turn_into(estimator, owner, None)
    return estimator
