"""Code as a user writes it; it is type-checked and never run."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import assert_type

import cirron as ci
from stormlog import Alert, MemoryTracker, TelemetryEvent, load_events
from stormlog.phases.replay import PhaseReplay, ReplayedPhase
from stormlog.phases.runtime import PhaseBoundary, PhaseHandle, PhaseRecorder, PhaseToken


def train(samples: list[int]) -> float:
    profiler = ci.profile({"ring_marks": 1024}, frameworks=[], path=Path("runs"), flush_interval=0.5)
    assert_type(profiler, ci.Profiler)
    loss = 0.0
    for epoch in ci.epochs(range(10)):
        assert_type(epoch, int)
        for sample in ci.batches(samples):
            assert_type(sample, int)
            with ci.scope("forward", index=sample, split="train") as scope:
                loss += sample
            del scope
            ci.mark("loss", loss, step=epoch)
    ci.mark("final loss", loss, kind="summary")
    profiler.flush()
    ci.trace(name="epoch", last=3)
    return loss


@ci.scope("fetch")
async def fetch(url: str) -> bytes:
    return url.encode()


@ci.scope("read")
def read(path: Path) -> Iterator[str]:
    yield path.name


@ci.scope("stream")
async def stream() -> AsyncIterator[int]:
    yield 1


async def main() -> None:
    assert_type(await fetch("https://example.org"), bytes)
    for line in read(Path("data")):
        assert_type(line, str)
    async for number in stream():
        assert_type(number, int)


async def loops(samples: AsyncIterator[int], loader: list[str]) -> None:
    async for sample in ci.batches(samples):
        assert_type(sample, int)
    own = ci.Cirron()
    async for sample in own.epochs(samples):
        assert_type(sample, int)
    assert_type(own.batches(loader), list[str])
    assert_type(next(ci.batches(loader)), str)


def wrapped(path: Path) -> None:
    assert_type(ci.wrap(path), Path)
    assert_type(ci.Cirron().wrap(path), Path)


@ci.inference
async def answer(question: str) -> dict[str, int]:
    return {question: 1}


@ci.inference(config={"slow_s": 1.0}, sample_rate=0.1)
def tokens(question: str) -> Iterator[str]:
    yield from question


class Model:
    @ci.Cirron().inference
    def predict(self, x: float) -> float:
        return x


async def served() -> None:
    assert_type(await answer("why"), dict[str, int])
    assert_type(tokens("why"), Iterator[str])
    assert_type(Model().predict(1.0), float)


def watched(model: object) -> None:
    ci.profile(snapshots=None)
    ci.watch(model)
    recorder = ci.Cirron(snapshots="stats")
    recorder.profile(snapshots=None)
    recorder.watch(model)


def lifecycle() -> None:
    ci.flush()
    assert ci.health()["mark_drop_count"] == 0
    ci.shutdown()


def own_instance() -> None:
    recorder = ci.Cirron(output_dir="runs/42", api_key="key", flush_interval=5)
    handle = recorder.profile(enabled=True, output=["spool"])
    with recorder.scope("load", rows=3):
        recorder.mark("rows", 3)
    for item in recorder.batches(["a", "b"]):
        assert_type(item, str)

    @recorder.scope("step")
    def step(value: int) -> int:
        return value + 1

    assert_type(step(1), int)
    assert handle.enabled
    recorder.shutdown()


def errors() -> None:
    try:
        ci.trace("df")
    except ci.CirronDependencyError:
        pass
    except (ci.CirronConfigError, ci.CirronError) as error:
        raise SystemExit(1) from error


lifecycle.__doc__ = ci.__version__


def phases() -> None:
    recorder = PhaseRecorder()
    token, boundary = recorder.enter(session_id="s", rank=0, name="forward", attrs={"step": 1})
    assert_type(token, PhaseToken)
    assert_type(boundary, PhaseBoundary)
    assert_type(recorder.exit(token).path, tuple[str, ...])
    entered = recorder.enter_phase(session_id="s", rank=0, name="load", metadata={"shard": 1})
    recorder.exit_phase(session_id="s", rank=0, scope_id=entered.scope_id, thread_id=token.thread_id)
    recorder.reset()


def memory(path: Path) -> list[ReplayedPhase]:
    def tell(alert: Alert) -> None:
        assert_type(alert.used_share, float)

    with MemoryTracker(device="host", sampling_interval_ms=50, on_alert=tell) as tracker:
        assert_type(tracker, MemoryTracker)
        with tracker.phase("train") as phase:
            assert_type(phase, PhaseHandle)
            tracker.enter_phase("forward", {"step": 1}).close()
    assert_type(tracker.events(), list[TelemetryEvent])
    return PhaseReplay(load_events(path)).phases
