"""A fault, and what came of causing it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class Server(Protocol):
    """What a program's batches are sent to."""

    environ: dict[str, str]
    accepted: dict[str, bytes]  # by batch id, as JSON
    differing: list[str]  # ids of batches that came again with other bytes


@dataclass
class Stage:
    """One run of a program, for those who act on it from outside."""

    folder: Path
    process: subprocess.Popen[str] | None = None
    server: Server | None = None  # none where the program runs for comparison

    @property
    def root(self) -> Path:
        """The `.cirron` folder."""
        return self.folder / "work" / ".cirron"

    @property
    def aside(self) -> Path:
        """Where an act puts batches that it takes away, so that they are not missed."""
        return self.folder / "aside"


@dataclass
class Ran:
    """What is left of a program that has ended."""

    exit_code: int
    stdout: str  # without the lines in `events`
    events: list[str]  # as JSON
    stderr: str  # without the lines in `warnings`
    warnings: list[str]
    healths: dict[str, dict[str, Any]]  # by session
    moments: list[str]
    failures: list[str]  # of the test itself


@dataclass
class Found:
    """What was read back after a recorded run, for the checks that only one fault needs."""

    ran: Ran
    batches: list[dict[str, Any]]

    @property
    def ended(self) -> list[str]:
        """How the sessions say they ended, sorted."""
        spans = (span for batch in self.batches for span in batch["spans"])
        return sorted(span["attrs"]["cirron.ended"] for span in spans if span["name"] == "cirron.session")

    @property
    def health(self) -> dict[str, Any]:
        """What the program said of its only session in the end; nothing where it could not."""
        return next(iter(self.ran.healths.values()), {})


Act = Callable[
    [Stage, int], Callable[[], None] | None
]  # what comes back is called when the process has ended
Check = Callable[[Found], Iterator[str]]


def no_check(found: Found) -> Iterator[str]:
    """Nothing beyond what holds for every fault."""
    yield from ()


@dataclass(frozen=True)
class Fault:
    """How one fault is caused, and what may come of it.

    Attributes:
        name: what goes wrong, as the table says it.
        cause: by which means.
        program: Python text; it can use what `programs/user.py` and `programs/means.py` hold.
        warnings: regular expressions; each fits exactly one warning of each voice, and no warning fits none.
        perhaps: regular expressions of warnings that depend on the moment: at most one of each voice.
        voices: how many processes warn.
        proof: a regular expression that standard output fits, where no warning shows that the fault was there.
        ended: how the sessions say they ended, sorted.
        at: what the test does at the moments of the program, from outside.
        check: yields what else is wrong.
        launcher: command line that the program's own is appended to.
        options: of the interpreter.
        environ: beyond the test's own environment.
        server: where batches are sent.
        lanes, steps: how many threads, tasks or processes train, and how many steps each at most.
        doubtful: whether a traceback may differ, for the moment of an interruption is random.
        lossless: whether no record may be lost, counted or not.
        hung_s: a program that takes so long waits for ever.
    """

    name: str
    cause: str
    program: str
    warnings: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()
    voices: int = 1
    proof: str = ""
    ended: tuple[str, ...] = ("completed",)
    at: Mapping[str, Act] = field(default_factory=dict)
    check: Check = no_check
    launcher: Callable[[Stage], list[str]] = lambda stage: []
    options: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    server: Callable[[], AbstractContextManager[Server]] | None = None
    lanes: int = 4
    steps: int = 4000
    doubtful: bool = False
    lossless: bool = True
    hung_s: float = 60


@dataclass
class Outcome:
    """What came of causing a fault once."""

    fault: Fault
    expected: int = 0  # spans and marks whose call had returned
    found: int = 0  # of these, in the spool, at the server, or taken aside
    counted: int = 0  # as lost, by health() or the newest batch
    warnings: int = 0
    exit_code_unchanged: bool = True
    output_unchanged: bool = True
    wrong: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """What was recorded and is nowhere."""
        return self.expected - self.found
