"""The native recorder: scopes and marks into a journal, and from there into sealed batches."""

from cirron._recorder.native import (
    Loop,
    Passage,
    Recorder,
    Recovered,
    Scope,
    arm_starter,
    array_stats,
    batches,
    call_in_main_thread,
    epochs,
    mark,
    peek,
    recover,
    scope,
    set_default,
    set_starter,
)

__all__ = [
    "Loop",
    "Passage",
    "Recorder",
    "Recovered",
    "Scope",
    "arm_starter",
    "array_stats",
    "batches",
    "call_in_main_thread",
    "epochs",
    "mark",
    "peek",
    "recover",
    "scope",
    "set_default",
    "set_starter",
]
