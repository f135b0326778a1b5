"""What the user of a program notices of cirron in it: nothing but the warnings that are due."""

from __future__ import annotations

import re
from collections.abc import Iterator

from faults.fault import Fault, Outcome, Ran, Stage
from faults.server import KEY


def unlike(outcome: Outcome, ran: Ran, reference: Ran) -> Iterator[str]:
    """How the run differs from the one without cirron."""
    outcome.exit_code_unchanged = ran.exit_code == reference.exit_code
    if not outcome.exit_code_unchanged:
        yield f"exit code {ran.exit_code}, without cirron {reference.exit_code}; stderr: {ran.stderr[-2000:]}"
    doubtful = outcome.fault.doubtful
    theirs, others = _plain(ran.stderr, doubtful), _plain(reference.stderr, doubtful)
    outcome.output_unchanged = ran.stdout == reference.stdout and theirs == others
    if ran.stdout != reference.stdout:
        yield f"stdout is {ran.stdout[-1000:]!r}, without cirron {reference.stdout[-1000:]!r}"
    if theirs != others:
        yield f"stderr is {theirs[-2000:]!r}, without cirron {others[-2000:]!r}"


# Python 3.12 warns of a fork in a process with threads. Ours rest meanwhile, but 3.12.1 and 3.13.0 count after those
# hooks that wake them, and a request to a server is not cut short. See docs/reliability.md, "Where it ends".
FORK_WARNING = re.compile(r".*DeprecationWarning: This process \(pid=.*\n.*\n")


def _plain(stderr: str, doubtful: bool) -> str:
    """Standard error without what differs from run to run; of a traceback from a random moment, its end."""
    stderr = FORK_WARNING.sub("", stderr)
    text = re.sub(r"0x[0-9a-f]+|(?<=pid=)\d+", "0x", stderr)
    return "\n".join(text.splitlines()[-1:]) if doubtful else text


def misspoken(fault: Fault, ran: Ran) -> Iterator[str]:
    """Warnings that are missing, said twice, or not to be expected."""
    for pattern in (*fault.warnings, *fault.perhaps):
        times = sum(re.search(pattern, line) is not None for line in ran.warnings)
        if times > fault.voices or (times < fault.voices and pattern in fault.warnings):
            yield f"{times} warnings say /{pattern}/, not {fault.voices}: {ran.warnings}"
    for line in ran.warnings:
        if not any(re.search(pattern, line) for pattern in (*fault.warnings, *fault.perhaps)):
            yield f"nobody expected: {line}"


def told_secrets(stage: Stage, ran: Ran) -> Iterator[str]:
    """Where the API key can be read that nobody should find there."""
    files = [path for path in stage.root.rglob("*") if path.is_file()]
    said = {
        "standard output": ran.stdout,
        "standard error": ran.stderr + str(ran.warnings),
        "health()": str(ran.healths),
    }
    yield from (f"the key is in {path.name}" for path in files if KEY.encode() in path.read_bytes())
    yield from (f"the key is in {place}" for place, text in said.items() if KEY in text)
