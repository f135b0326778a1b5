"""The operations of the table, written as a user writes them; `ci` is any module with our API."""

import threading
from collections.abc import Callable
from typing import Any

from benchmarks.timing import Case

Run = Callable[[int], None]

EMPTY_LOOP = "empty loop"
LOCK = "lock"


class _EmptyContextManager:
    def __enter__(self) -> "_EmptyContextManager":
        return self

    def __exit__(self, exc_type: object, exc: object, traceback: object) -> None:
        return None


def floors() -> list[Case]:
    """What a `with` costs when nothing is recorded, and the loop that every other case contains."""
    return [
        Case(EMPTY_LOOP, _empty_loop),
        Case(LOCK, _lock(threading.Lock())),
        Case("python context manager", _python_context_manager),
    ]


def recorder(ci: Any, own_threads: bool = False) -> list[Case]:
    """The recorder's whole hot path, flushed after each burst."""
    runs: dict[str, Run] = {
        "scope": _scope(ci),
        "scope index": _scope_index(ci),
        "scope attribute": _scope_attribute(ci),
        "scope dynamic name": _scope_dynamic_name(ci),
        "scope nested": _scope_nested(ci),
        "mark": _mark(ci),
        "mark attribute": _mark_attribute(ci),
        "batches": _batches(ci),
        "epochs": _epochs(ci),
    }
    return [Case(name, run, ci.flush, own_threads) for name, run in runs.items()]


def held_scope(ci: Any) -> Case:
    """One scope object entered again and again."""
    return Case("scope held", _scope_held(ci), ci.flush)


def _empty_loop(ops: int) -> None:
    for _ in range(ops):
        pass


def _lock(lock: threading.Lock) -> Run:
    def run(ops: int) -> None:
        for _ in range(ops):
            with lock:
                pass

    return run


def _python_context_manager(ops: int) -> None:
    for _ in range(ops):
        with _EmptyContextManager():
            pass


def _scope(ci: Any) -> Run:
    scope = ci.scope

    def run(ops: int) -> None:
        for _ in range(ops):
            with scope("forward"):
                pass

    return run


def _scope_index(ci: Any) -> Run:
    scope = ci.scope

    def run(ops: int) -> None:
        for i in range(ops):
            with scope("step", index=i):
                pass

    return run


def _scope_attribute(ci: Any) -> Run:
    scope = ci.scope

    def run(ops: int) -> None:
        for _ in range(ops):
            with scope("forward", split="train"):
                pass

    return run


def _scope_dynamic_name(ci: Any) -> Run:
    scope = ci.scope

    def run(ops: int) -> None:
        for i in range(ops):
            with scope(f"layer{i & 31}"):
                pass

    return run


def _scope_nested(ci: Any) -> Run:
    scope = ci.scope

    def run(ops: int) -> None:
        for _ in range(ops):
            with scope("step"), scope("forward"), scope("attention"):
                pass

    return run


def _scope_held(ci: Any) -> Run:
    held = ci.scope("forward")

    def run(ops: int) -> None:
        for _ in range(ops):
            with held:
                pass

    return run


def _mark(ci: Any) -> Run:
    mark = ci.mark

    def run(ops: int) -> None:
        for _ in range(ops):
            mark("loss", 0.5)

    return run


def _mark_attribute(ci: Any) -> Run:
    mark = ci.mark

    def run(ops: int) -> None:
        for i in range(ops):
            mark("loss", 0.5, step=i)

    return run


def _batches(ci: Any) -> Run:
    def run(ops: int) -> None:
        for _ in ci.batches(range(ops)):
            pass

    return run


def _epochs(ci: Any) -> Run:
    def run(ops: int) -> None:
        for _ in ci.epochs(range(ops)):
            pass

    return run
