"""Take the native core through everything it does, in one session: what scripts/sanitize runs under valgrind."""

import array
import asyncio
import contextlib
import math
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import cirron as ci
from cirron._recorder import Recorded, Steps, WhileFinite, array_stats

VALUES = (1, 2**70, 0.5, float("nan"), True, None, "text", "é" * 300, [1], 1j)


def records(number: int) -> None:
    with ci.scope("outer", index=number, split="train", share=0.5, name_of=str(number)):
        for value in VALUES:
            ci.mark("value", value, step=number)
        with contextlib.suppress(KeyError), ci.scope(f"inner{number}"):
            raise KeyError(number)


def loops() -> None:
    for _ in ci.epochs(range(3)):
        for batch in ci.batches(iter(range(20))):
            if batch == 15:
                break
            records(batch)


def too_deep() -> None:
    with contextlib.ExitStack() as stack:
        for depth in range(80):
            stack.enter_context(ci.scope("deep", depth))


def out_of_order() -> None:
    def suspended() -> Iterator[None]:
        with ci.scope("generator"):
            yield

    generators = [suspended() for _ in range(5)]
    for generator in generators:
        next(generator)
    for generator in generators:
        generator.close()


def handed_over() -> None:
    handle = ci.scope("handed over")
    handle.__enter__()
    run_threads(1, lambda _: handle.__exit__(None, None, None))


def overflow() -> None:
    for number in range(5_000):
        ci.mark("many", number)


@ci.scope("decorated")
async def task(number: int) -> None:
    for _ in range(3):
        with ci.scope("task", index=number):
            await asyncio.sleep(0)


async def tasks() -> None:
    await asyncio.gather(*(task(number) for number in range(20)))


@ci.inference
def answer(number: int) -> str:
    records(number)
    if number == 2:
        raise TimeoutError
    return "text"


@ci.inference(sample_rate=0.5)
def streamed(number: int) -> Iterator[dict[str, object]]:
    for token in range(number):
        yield {"usage": {"completion_tokens": token}}
        answer(0)


@ci.inference
async def answered(number: int) -> str:
    await asyncio.sleep(0)
    return answer(number)


@ci.inference
async def streamed_later(number: int) -> AsyncIterator[str]:
    for _ in range(number):
        yield await answered(0)


async def asynchronous_requests() -> None:
    await asyncio.gather(*(answered(number) for number in range(6)), return_exceptions=True)
    async for _ in streamed_later(3):
        pass
    async for _ in streamed_later(3):
        break
    abandoned = asyncio.create_task(answered(0))
    await asyncio.sleep(0)
    abandoned.cancel()


def requests() -> None:
    for number in range(6):
        with contextlib.suppress(TimeoutError):
            answer(number)
        list(streamed(number))
        next(streamed(2)), streamed(2)  # one is given up midway, the other before it has begun
    asyncio.run(asynchronous_requests())


class Loop(Steps):
    """A loop over batches."""

    def end(self, error: type[BaseException] | None) -> None:
        """Leave what is open."""
        for scope in (self.load, self.step):
            scope.__exit__(None, None, None)


def steps() -> None:
    for batches in (range(3), range(0)):
        loop = Loop(None, "step", ("step",), "data_load", (), ("step", "data_load"))
        iterator = iter(batches)
        with contextlib.suppress(StopIteration):
            while True:
                loop.fetch(next, iterator)
                records(0)
        loop.next(7)


def recorded_calls() -> None:
    call = Recorded(records, None, "forward", ("forward",), ("step", "forward"))
    call(1)
    with contextlib.suppress(TypeError):
        call()
    while_finite = WhileFinite(call, lambda _: call(2), math.isfinite, float, None)
    for loss in (1.0, math.nan, math.nan):
        while_finite(loss)


def statistics() -> None:
    for letter, dtype in (("b", "int8"), ("f", "float32"), ("d", "float64"), ("H", "bfloat16")):
        values = array.array(letter, range(100))
        address, count = values.buffer_info()
        array_stats(address, dtype, (count,), (1,))
        array_stats(address, dtype, (3, 7), (20, 2))


def run_threads(count: int, work: Callable[[int], object]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Anonymous memory instead of a journal file: when a file is renamed between two mappings that come to lie
        # side by side, valgrind 3.19 miscounts its names and gives up. The tests under ASan map real files.
        Path(folder, "journal").symlink_to("/proc/self")  # a folder in which no file can be made
        ci.profile({"ring_marks": 1024}, path=folder)
        for work in (
            loops,
            too_deep,
            out_of_order,
            handed_over,
            overflow,
            requests,
            steps,
            recorded_calls,
            statistics,
        ):
            work()
            ci.flush()
        run_threads(30, records)
        asyncio.run(tasks())
        ci.flush()
        assert ci.trace("dict")["span_count"] > 300
        assert next(Path(folder, "spool").glob("*.json"))
        ci.shutdown()


if __name__ == "__main__":
    main()
