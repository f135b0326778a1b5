"""Memory that is used up."""

from __future__ import annotations

from collections.abc import Iterator

from faults.fault import Fault, Found
from faults.shims import preloaded

# Limits the program to a little more memory than it has, and shows that this is not enough for a megabyte.
PRESSURE = """
def press(spare_bytes):
    limit("AS", int(Path("/proc/self/statm").read_text().split()[0]) * 4096 + spare_bytes)
    try: bytes(spare_bytes * 2)
    except MemoryError: print("no memory for", spare_bytes * 2)
"""

MEMORY = r"(?i)memory"


def _is_not_recording(found: Found) -> Iterator[str]:
    if found.health.get("enabled") or not found.health.get("internal_errors"):
        yield "health() does not say that no session could be started"


def _journal_is_in_memory(found: Found) -> Iterator[str]:
    if "anonymous" not in str(found.health.get("journal")):
        yield f"health() says that the journal is {found.health.get('journal')}"


FAULTS = [
    Fault(
        "memory used up while it trains",
        "`RLIMIT_AS` 256 KB above what is in use",
        PRESSURE + "ci.profile(flush_interval=3600); train(10); ci.flush()\n"
        "press(256 << 10)\n"
        "train(3000, effort=50); ci.flush(); ci.health()\n"
        "limit('AS')\n"
        "ci.flush(); train(500); print('trained')\n",
        perhaps=(r"could not be written.*Memory",),
        proof="no memory for",
    ),
    Fault(
        "memory used up, to the end",
        "`RLIMIT_AS` 256 KB above what is in use",
        PRESSURE + "ci.profile(flush_interval=3600); train(10); ci.flush()\n"
        "press(256 << 10)\n"
        "train(3000, effort=50); print('trained')\n",
        perhaps=(r"could not be written.*Memory",),
        proof="no memory for",
    ),
    Fault(
        "no memory for the rings of new threads",
        "`RLIMIT_AS` 2 MB above what is in use, and three threads",
        PRESSURE + "import threading\n"
        "threading.stack_size(256 << 10)\n"
        "ci.profile(flush_interval=0.02); train(100)\n"
        "press(2 << 20)\n"
        "barrier = threading.Barrier(3)\n"
        "def work(lane): train(100, lane); barrier.wait(); train(100, lane)\n"
        "threads = [threading.Thread(target=work, args=(lane,)) for lane in (1, 2, 3)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "limit('AS')\n"
        "train(100); print('trained')\n",
        (MEMORY,),
        lossless=False,
    ),
    *(
        Fault(
            f"no memory for {what}",
            f"`RLIMIT_AS` {spare_kb} KB above what is in use, before `profile()`",
            PRESSURE + f"press({spare_kb} << 10)\n"
            "if ci.profile().enabled: train(300)\n"
            "ci.flush(); ci.health()\n"
            "with ci.scope('step'): ci.mark('loss', 1)\n"
            "limit('AS'); ci.shutdown(); print('trained')\n",
            (r"no session could be started",),
            ended=(),
            check=_is_not_recording,
        )
        for what, spare_kb in (("a session", 3072), ("imports", 512))
    ),
    Fault(
        "a journal that cannot be mapped",
        "`mmap` of it fails with ENODEV",
        "ci.profile(); train(500); ci.flush(); train(500); print('trained')\n",
        (r"journal",),
        launcher=preloaded("no_mmap"),
        check=_journal_is_in_memory,
    ),
]
