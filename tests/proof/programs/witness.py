"""What a program that may be killed tells its parent through shared memory: how far each of its lanes has come.

A lane is a thread or a task. Each number is stored after the call that it counts has returned (`BEGUN`: before
the first call of a step), so a kill at any moment leaves it true.
"""

import mmap
from pathlib import Path

LANES = 4096
BEGUN, OPENED, MARKED, INNER, CLOSED = range(5)
INNER_EVERY = 4  # so many steps, one has a scope inside
FIELDS = 8  # a power of two keeps every number inside one cache line


def create(path: Path) -> None:
    """A witness that has seen nothing."""
    path.write_bytes(bytes(LANES * FIELDS * 8))


def numbers(path: Path) -> memoryview:
    """The numbers, shared with whoever else has them open; lane `n` begins at `n * FIELDS`."""
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), LANES * FIELDS * 8)).cast("Q")
