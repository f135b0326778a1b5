"""A disk that takes nothing, or loses what it has."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from faults.endings import send_soon
from faults.fault import Fault, Found
from faults.launchers import mounted, refusing, without_privileges

START = "ci.profile(CONFIG, flush_interval=0.02)\ntrain(500); ci.flush()\n"
# Several tries while it lasts, for one warning shall do for all of them.
MEANWHILE = "for _ in range(5): train(200); ci.flush()\n"
AFTERWARDS = "train(500); ci.flush()\nprint('trained')\n"


def disk_fault(name: str, cause: str, begin: str, warning: str, end: str = "", **options: object) -> Fault:
    """A fault that begins while the program trains and may end before it does."""
    program = START.replace("CONFIG", options.pop("config", "{}")) + begin + MEANWHILE + end + AFTERWARDS
    options = {"check": _failures_are_counted} | options
    return Fault(name, cause, program, (warning,), **options)


def _failures_are_counted(found: Found) -> Iterator[str]:
    if not found.health.get("seal_failure_count"):
        yield "health() counts no failure"


def _some_are_lost(found: Found) -> Iterator[str]:
    yield from _failures_are_counted(found)
    if not found.health.get("span_drop_count"):
        yield "the rings held everything"


def _journal_is_in_memory(found: Found) -> Iterator[str]:
    said = found.health.get("journal")
    if "anonymous" not in str(said):
        yield f"health() says that the journal is {said}"


def both(name: str, cause: str, begin: str, end: str, warning: str, **options: object) -> list[Fault]:
    """A fault that passes, and the same one that lasts."""
    return [
        disk_fault(name, cause, begin, warning, end, **options),
        disk_fault(f"{name}, to the end", cause, begin, warning, ended=LASTING, **options),
    ]


LASTING = ("completed",)  # the journal keeps the session until somebody recovers it

FULL = r"No space left on device.*"
DENIED = r"Permission denied.*"

FAULTS = [
    *both(
        "disk full",
        "a file system of 12 MB and a file that fills it",
        "fill_disk()\n",
        "empty_disk()\n",
        FULL,
        launcher=mounted("size=12m"),
    ),
    disk_fault(
        "disk full, and more records than rings hold",
        "the same, with rings of 64 marks",
        "fill_disk(); train(3000, effort=0)\n",
        FULL,
        "empty_disk()\n",
        config="{'ring_marks': 64}",
        check=_some_are_lost,
        steps=8000,
        launcher=mounted("size=12m"),
        lossless=False,
    ),
    Fault(
        "disk full, then killed",
        "the same, and SIGKILL while it lasts",
        START.replace("CONFIG", "{}") + "fill_disk()\n" + MEANWHILE + "moment('full'); train_on()\n",
        (FULL,),
        at={"full": send_soon(signal.SIGKILL)},
        launcher=mounted("size=12m"),
        ended=("killed",),
        lanes=1,
        steps=400_000,
        lossless=False,
    ),
    *both(
        "no inodes left",
        "a file system with 16 inodes",
        "fill_inodes()\n",
        "empty_inodes()\n",
        FULL,
        launcher=mounted("size=32m,nr_inodes=16"),
    ),
    *both(
        "file size limit",
        "`RLIMIT_FSIZE` of 1,000 bytes",
        "limit('FSIZE', 1000)\n",
        "limit('FSIZE')\n",
        r"File too large.*",
    ),
    *both(
        "quota used up",
        "writes fail with EDQUOT, in the program's C library",
        "refuse(errno.EDQUOT, ROOT)\n",
        "refuse_nothing()\n",
        r"quota exceeded.*",
        launcher=refusing,
    ),
    *both(
        "too many open files",
        "`RLIMIT_NOFILE` at what is open",
        "limit('NOFILE', len(os.listdir('/proc/self/fd')) - 1)\n",
        "limit('NOFILE')\n",
        r"Too many open files.*",
    ),
    *both(
        "spool becomes read-only",
        "a read-only file system mounted over it",
        "mount_over(ROOT / 'spool')\n",
        "unmount(ROOT / 'spool')\n",
        r"Read-only file system.*",
        launcher=mounted("size=32m"),
    ),
    *both(
        "no permission for the spool",
        "`chmod 0500`, and no privileges",
        "chmod(ROOT / 'spool', 0o500)\n",
        "chmod(ROOT / 'spool', 0o700)\n",
        DENIED,
        launcher=without_privileges,
    ),
    Fault(
        "a disk that hangs for a while",
        "`write` waits, in the program's C library",
        START.replace("CONFIG", "{}") + "refuse(HANG, ROOT / 'spool')\n"
        "for _ in range(100): train(10); time.sleep(0.001)\n"
        "refuse_nothing()\n" + AFTERWARDS,
        launcher=refusing,
    ),
    Fault(
        "a disk that hangs, to the end",
        "`write` waits for ever",
        START.replace("CONFIG", "{}") + "refuse(HANG, ROOT / 'spool')\n"
        "for _ in range(100): train(10); time.sleep(0.001)\n"
        "print('trained')\n",
        (r"see whether the disk still answers",),
        launcher=refusing,
    ),
    Fault(
        "a disk that hangs, and SIGTERM",
        "`write` waits for ever",
        START.replace("CONFIG", "{}") + "refuse(HANG, ROOT / 'spool')\nmoment('hung'); train_on()\n",
        (r"see whether the disk still answers",),
        at={"hung": send_soon(signal.SIGTERM)},
        ended=("signal: SIGTERM",),
        launcher=refusing,
        lanes=1,
        steps=400_000,
        lossless=False,
    ),
    Fault(
        "read-only from the start",
        "a read-only file system at `.cirron`",
        "mount_over(ROOT)\nci.profile(); train(500); ci.flush(); train(500); print('trained')\n",
        (r"Read-only file system.*",),
        launcher=mounted("size=1m"),
        ended=(),
        lossless=False,
    ),
    Fault(
        "no permission from the start",
        "a working directory of mode 0500, and no privileges",
        "os.chmod('.', 0o500)\n"
        "atexit.register(os.chmod, '.', 0o700)\n"
        "ci.profile(); train(500); ci.flush(); train(500); print('trained')\n",
        (DENIED,),
        launcher=without_privileges,
        ended=(),
        lossless=False,
    ),
    Fault(
        "a file where the spool should be",
        "`.cirron/spool` is a file",
        "ROOT.mkdir(); (ROOT / 'spool').write_text('')\n"
        "ci.profile(); train(500); ci.flush(); train(500); print('trained')\n",
        (r"File exists|Not a directory",),
        ended=(),
        lossless=False,
    ),
    Fault(
        "a file where the journal should be",
        "`.cirron/journal` is a file",
        "ROOT.mkdir(); (ROOT / 'journal').write_text('')\n"
        "ci.profile(); train(500); ci.flush(); train(500); print('trained')\n",
        (r"File exists|Not a directory",),
        check=_journal_is_in_memory,
    ),
    Fault(
        "a folder whose name is no text",
        "bytes that are not UTF-8 in the working directory's name",
        "folder = os.fsdecode(b'caf\\xe9'); ROOT.mkdir(); os.chdir(ROOT); os.mkdir(folder); os.chdir(folder)\n"
        "ci.profile(); train(500); ci.flush(); train(500); print('trained')\n",
    ),
    Fault(
        "a path that is too long",
        "4,040 bytes of folders, and 4,095 are allowed",
        "ROOT.mkdir()\n"
        "os.chdir(ROOT)\n"
        "def down(name): os.mkdir(name); os.chdir(name)\n"
        "while len(os.getcwd()) < 3900: down('f' * 50)\n"
        "down('f' * (4040 - len(os.getcwd()) - 1))\n"
        "ci.profile(); train(500); ci.flush(); train(500); print('trained')\n",
        (r"could not be written.*File name too long",),
        perhaps=(r"journal.*File name too long",),
        ended=(),
        lossless=False,
    ),
    Fault(
        "no room for the journal",
        "a file system that is full before `profile()`",
        "fill_disk()\nci.profile(); train(200); ci.flush(); print('trained')\n",
        (r"(could not be written|cannot be used).*No space left",),
        perhaps=(r"journal.*No space left",),
        launcher=mounted("size=1m"),
        ended=(),
        lossless=False,
        check=_journal_is_in_memory,
    ),
    Fault(
        "no room for the journals of later threads",
        "a file system that is full before they start",
        "import threading\n"
        "ci.profile(); train(300); fill_disk()\n"
        "threads = [threading.Thread(target=train, args=(300, lane)) for lane in range(6)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "empty_disk(); print('trained')\n",
        (r"journal.*No space left",),
        launcher=mounted("size=12m"),
        lanes=6,
    ),
]
