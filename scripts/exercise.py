"""Take the native core through everything it does, in one session: what scripts/sanitize runs under valgrind."""

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cirron as ci

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
        for work in (loops, too_deep, out_of_order, handed_over, overflow):
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
