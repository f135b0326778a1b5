"""What a worker process can be asked to measure.

A suite sets its process up once and returns a function that measures every case once, in a fresh
random order. The same suites run against cirron and against cirron-sdk, in an interpreter each.
"""

import gc
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import cases, competitors, hooks, inference, loop, phases, sending, training
from benchmarks.settings import Settings
from benchmarks.timing import Case, Gate, Stopwatch

Round = Callable[[], dict[str, float]]
Suite = Callable[[Settings], Round]


def operations(settings: Settings) -> Round:
    ci = _profile()
    ours = [*cases.recorder(ci), cases.held_scope(ci)]
    return _shuffled([*cases.floors(), *ours, *competitors.installed()], settings.operation_ops)


def operations_alone(settings: Settings) -> Round:
    ci = _profile()
    ours = [*cases.recorder(ci), cases.held_scope(ci)]
    return _shuffled([*cases.floors(), *ours], settings.operation_ops)


def operations_sdk(settings: Settings) -> Round:
    return _shuffled([*cases.floors(), *cases.recorder(_profile())], settings.operation_ops)


def operations_disabled(settings: Settings) -> Round:
    ci = _profile(enabled=False)
    return _shuffled([*cases.floors(), *cases.recorder(ci)], settings.operation_ops)


def sustained(settings: Settings) -> Round:
    """Scopes and marks without a pause, with what runs behind them; also the share of records dropped."""
    ci = _profile()
    recorder = {case.name: case for case in cases.recorder(ci, own_threads=True)}
    measure = _shuffled([*cases.floors(), recorder["scope"], recorder["mark"]], settings.sustained_ops)

    def measure_and_count() -> dict[str, float]:
        dropped = _dropped(ci)
        measured = measure()
        return measured | {"dropped": (_dropped(ci) - dropped) / (2 * settings.sustained_ops)}

    return measure_and_count


def drain(settings: Settings) -> Round:
    """From the ring to a sealed file: the time of the flush right after a burst, over its records.

    Beside it what a plain write of as many bytes takes: on a virtual machine that may be most of it.
    """
    ci = _profile(flush_interval=3600.0)
    runs = {case.name: case.run for case in cases.recorder(ci)}
    gate = Gate()

    def measure(name: str) -> dict[str, float]:
        gate.wait()
        runs[name](settings.drain_records)
        # No wait in between: a ring that fills up wakes the writer thread, which would do part of the work unseen.
        start_ns = time.perf_counter_ns()
        ci.flush()
        drained_ns = time.perf_counter_ns() - start_ns
        written_ns = _plain_write_ns(_remove_batches())
        return {
            name: drained_ns / settings.drain_records,
            f"{name} written": written_ns / settings.drain_records,
        }

    return lambda: measure("scope") | measure("scope attribute") | measure("mark")


def slowdown(settings: Settings) -> Round:
    return _tidied(loop.slowdown(_profile(), settings.loop_window_s))


def delivery(settings: Settings) -> Round:
    import cirron as ci

    return _tidied(sending.speeds(ci, settings.loop_window_s))


def train(settings: Settings) -> Round:
    return _tidied(training.steps(_profile(), settings.training_epochs))


def inference_ours(settings: Settings) -> Round:
    return _shuffled(inference.ours(_profile()), settings.operation_ops)


def inference_disabled(settings: Settings) -> Round:
    ci = _profile(enabled=False)
    return _shuffled(inference.cases(ci.inference, ci.flush), settings.operation_ops)


def inference_sdk(settings: Settings) -> Round:
    ci = _profile()
    return _shuffled(inference.cases(ci.inference, ci.flush), settings.operation_ops)


def inference_opentelemetry(settings: Settings) -> Round:
    return _shuffled(inference.opentelemetry(), settings.operation_ops)


def hooks_of_frameworks(settings: Settings) -> Round:
    return _tidied(hooks.ratios(hooks.Session))


def hooks_profiler(settings: Settings) -> Round:
    return hooks.ratios(hooks.torch_profiler)


def phases_of_a_recorder(settings: Settings) -> Round:
    return _shuffled(phases.measured(), settings.operation_ops)


SUITES: dict[str, Suite] = {
    suite.__name__: suite
    for suite in (
        operations,
        operations_alone,
        operations_sdk,
        operations_disabled,
        sustained,
        drain,
        slowdown,
        delivery,
        train,
        hooks_of_frameworks,
        hooks_profiler,
        phases_of_a_recorder,
        inference_ours,
        inference_disabled,
        inference_sdk,
        inference_opentelemetry,
    )
}


def _profile(enabled: bool = True, **settings: Any) -> Any:
    """The module under test, recording into the worker's own folder."""
    import cirron as ci

    ci.profile(frameworks=[], snapshots=None, enabled=enabled, **settings)
    if ci.health()["enabled"] != enabled:  # a recorder that gave up would win every row
        raise RuntimeError(f"no session to measure: {ci.health()}")
    return ci


def _dropped(ci: Any) -> int:
    health = ci.health()
    return int(health["mark_drop_count"] + health.get("span_drop_count", 0))


def _shuffled(each: list[Case], ops: int) -> Round:
    stopwatch = Stopwatch()
    # A heavy import of a competitor must not make everybody's garbage collections longer.
    gc.collect()
    gc.freeze()

    def measure() -> dict[str, float]:
        order = random.sample(each, len(each))
        measured = {case.name: stopwatch.ns_per_op(case, ops) for case in order}
        return {**measured, "gate forced": stopwatch.gate.forced, "preempted": stopwatch.preempted}

    return _tidied(measure)


def _tidied(measure: Round) -> Round:
    """Removes the batches of a round, so that no recorder reaches its cap on disk."""

    def measure_and_tidy() -> dict[str, float]:
        measured = measure()
        _remove_batches()
        return measured

    return measure_and_tidy


def _remove_batches() -> int:
    """Empty the spool; returns how many bytes it held."""
    removed_bytes = 0
    for batch in Path(".cirron", "spool").glob("*.json"):
        removed_bytes += batch.stat().st_size
        batch.unlink(missing_ok=True)
    return removed_bytes


def _plain_write_ns(size_bytes: int) -> int:
    content = b"x" * size_bytes
    path = Path(".cirron", "written")
    start_ns = time.perf_counter_ns()
    path.write_bytes(content)
    took_ns = time.perf_counter_ns() - start_ns
    path.unlink()
    return took_ns
