"""However many requests there were, nothing of them is left in memory."""

import asyncio
import gc
import os
import sys
from pathlib import Path

import pytest

import cirron as ci

pytestmark = pytest.mark.long

IN_FULL = os.environ.get("CIRRON_LONG") == "1"
REQUESTS = 100_000 if IN_FULL else 5_000
WARM_UP = 2_000
PAGE_BYTES = os.sysconf("SC_PAGESIZE")


@ci.inference
def call(fails):
    with ci.scope("part"):
        ci.mark("m", 1)
    if fails:
        raise ValueError("no")


@ci.inference(sample_rate=0.1)
async def wait():
    with ci.scope("part"):
        await asyncio.sleep(0)
    return {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}


@ci.inference
def words():
    with ci.scope("part"):
        yield "a"
        yield "b"


@ci.inference
async def words_in_time():
    yield "a"
    await asyncio.sleep(0)
    yield "b"


async def serve(count):
    """Requests of each kind, some of which fail, some that are left in the middle."""
    for i in range(count // 5):
        task = asyncio.create_task(wait())
        for fails in (False, True):
            try:
                call(fails)
            except ValueError:
                assert fails
        stream = words()
        next(stream)
        if i % 2:
            stream.close()
        async for _ in words_in_time():
            pass
        await task


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="resident memory is read from Linux's /proc"
)
def test_requests_of_all_kinds_leave_nothing_in_memory():
    ci.profile(frameworks=[], output="none")
    asyncio.run(serve(WARM_UP))
    gc.collect()
    blocks, resident = sys.getallocatedblocks(), resident_bytes()
    asyncio.run(serve(REQUESTS))
    gc.collect()
    more_blocks, more_bytes = sys.getallocatedblocks() - blocks, resident_bytes() - resident
    ci.shutdown()
    assert more_blocks < 500
    assert more_bytes < 16 << 20
