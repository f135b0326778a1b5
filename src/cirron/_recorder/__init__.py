"""The native recorder: scopes and marks into a journal, and from there into sealed batches."""

from cirron._recorder.native import (
    Loop,
    Recorder,
    Recovered,
    Scope,
    batches,
    epochs,
    mark,
    recover,
    scope,
    set_default,
)

__all__ = [
    "Loop",
    "Recorder",
    "Recovered",
    "Scope",
    "batches",
    "epochs",
    "mark",
    "recover",
    "scope",
    "set_default",
]
