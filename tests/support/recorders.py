"""A session of the native recorder in a folder of its own."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from inspect import cleandoc
from pathlib import Path
from typing import Any

from cirron._recorder import Recorder, set_default
from cirron.spool import Batch, Mark, Span
from support.spool_pictures import batches_of, draw

BATCH_FIELDS = b'"sdk_version":"1.0.0"'
SMALLEST_RING = (
    1  # any ring holds the largest possible record several times over, however few marks are asked for
)

tree = cleandoc  # expected pictures are written indented, among the code


class Session:
    """The default recorder of this process, and what it has written.

    Everything that looks at records ends the session first, so that nothing is missing.
    """

    def __init__(self, root: Path, **options: Any) -> None:
        self.spool = root / "spool"
        self.journals = root / "journal"
        for folder in (self.spool, self.journals):
            folder.mkdir(parents=True, exist_ok=True)
        folders = dict(spool_dir=str(self.spool), journal_dir=str(self.journals))
        self._batches: list[Batch] | None = None
        self.recorder = Recorder(**folders | dict(batch_fields=BATCH_FIELDS) | options)
        set_default(self.recorder)

    def end(self, ended: str = "completed") -> None:
        set_default(None)
        self.recorder.close(ended)

    def picture(self) -> str:
        self.end()
        return draw(self.spool)

    def picture_so_far(self) -> str:
        """Without ending the session."""
        self.recorder.drain()
        return draw(self.spool)

    def batches(self) -> list[Batch]:
        if self._batches is None:
            self.end()
            self._batches = batches_of(self.spool)
        return self._batches

    def spans(self, name: str | None = None) -> list[Span]:
        """In the order they closed; of one name, or all but the session's own."""
        spans = [span for batch in self.batches() for span in batch.spans]
        return [span for span in spans if (span.name == name if name else span.parent_id is not None)]

    def span(self, name: str) -> Span:
        (only,) = self.spans(name)
        return only

    def marks(self, name: str | None = None) -> list[Mark]:
        """Of one name, or all but the recorder's own."""
        marks = [mark for batch in self.batches() for mark in batch.marks]
        return [
            mark for mark in marks if (mark.name == name if name else not mark.name.startswith("cirron."))
        ]

    def mark(self, name: str) -> Mark:
        (only,) = self.marks(name)
        return only

    def counter(self, name: str) -> Any:
        return self.recorder.counters()[name]


def in_thread(function: Any, *args: Any) -> Any:
    """What the function returns or raises on a new thread, which ends before this returns."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args).result()


PROGRAM = """
import sys
from cirron._recorder.native import *
from cirron._recorder.native import Recorder, recover, set_default
ROOT = sys.argv[1]
def start(**options):
    folders = dict(spool_dir=ROOT + "/spool", journal_dir=ROOT + "/journal")
    recorder = Recorder(**folders | dict(batch_fields=b'"sdk_version":"1.0.0"') | options)
    set_default(recorder)
    return recorder
"""


# Python's and C++'s memory come from malloc, and what is freed is overwritten: to use it again does not go unseen.
# The tunable is glibc's; its thread cache would keep small pieces as they were.
OVERWRITE_FREED_MEMORY = {
    "PYTHONMALLOC": "malloc",
    "MALLOC_PERTURB_": "165",
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
}


def run_program(root: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own; it begins with `PROGRAM`, and `root` is its `ROOT`."""
    process = start_program(root, body)
    out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def start_program(root: Path, body: str) -> subprocess.Popen[str]:
    """As `run_program`, without waiting for the end; its standard input is a pipe."""
    for folder in (root / "spool", root / "journal"):
        folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-X", "faulthandler", "-c", PROGRAM + cleandoc(body), str(root)]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return subprocess.Popen(command, text=True, env=os.environ | OVERWRITE_FREED_MEMORY, **pipes)
