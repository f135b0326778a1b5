"""`cirron traces clear`: whole sessions go, with their snapshots and what they left behind."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import click

from cirron.cli.confirm import confirmed
from cirron.cli.local_spool import mention, seal_journals, spool_option
from cirron.cli.messages import say
from cirron.cli.spool_folder import batches
from cirron.errors import CirronError
from cirron.spool import find_spool, read
from cirron.spool.clearing import Clearing, carry_out, plan_clearing
from cirron.spool.delete import Deleted
from cirron.spool.runs import Run
from cirron.tree import units


def _instant(context: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    """A date or a time as ISO 8601 writes it; local where it names no zone."""
    try:
        return None if text is None else datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError) as error:
        example = "2026-11-20, 2026-11-20T18:30 or 2026-11-20T18:30Z"
        raise click.BadParameter(f"{text!r} is not a date or time: write it like {example}") from error


@click.command(
    "clear",
    short_help="Delete recorded sessions.",
    epilog="""Example:

    \b
    cirron traces clear --keep 5                  # all but the five newest runs
    cirron traces clear --before 2026-11-01       # what ended before November
    cirron traces clear --yes                     # everything, without a question
    """,
)
@click.option(
    "--before",
    callback=_instant,
    metavar="ISO",
    help="Only what ended before this date or time, local or with a zone.",
)
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="All but the N newest runs.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--no-prune-orphans", is_flag=True, help="Leave what earlier sessions left behind.")
@spool_option
def clear_command(
    before: datetime | None, keep: int | None, yes: bool, no_prune_orphans: bool, spool: Path
) -> int:
    """Delete recorded sessions: all of them, or those that the options leave.

    The ranks and workers of one run count as one, and go together. A run that is still recording stays. Orphans go
    too: snapshots that no session knows any more, and what is left of batches that servers took or rejected.
    """
    where = Path(os.path.abspath(spool))  # noqa: PTH100 - "." and ".." go, symbolic links stay as they are
    # A spool that was taken out of its `.cirron` has nothing beside it that is ours.
    reader = read(where, sent=find_spool(where).name == "spool")
    seal_journals(where)
    clearing = plan_clearing(reader, lambda runs: _chosen(runs, before, keep), orphans=not no_prune_orphans)
    mention(reader)
    _explain(clearing, before)
    if not clearing:
        print(f"Nothing to delete in {units.clean(str(reader.spool.parent))}")
        return 0
    if not yes and not confirmed(f"Delete {_summary(clearing)} from {reader.spool.parent}?"):
        say("Nothing was deleted; --yes deletes without a question")
        return 1
    _check(carry_out(clearing))
    print(f"Deleted {_summary(clearing)}")
    return 0


def _chosen(runs: list[Run], before: datetime | None, keep: int | None) -> list[Run]:
    chosen = runs[: max(0, len(runs) - (keep or 0))]
    if before is None:
        return chosen
    before_ns = int(before.timestamp() * 1e9)
    return [run for run in chosen if 0 < max(session.last_ns for session in run.sessions) < before_ns]


def _explain(clearing: Clearing, before: datetime | None) -> None:
    """Say how the request was understood, and what of it is not going to happen."""
    if before is not None:
        say(f"Only what ended before {before.isoformat(sep=' ')}")
    for session in clearing.live:
        say(f"Session {session.id[:8]} of process {session.pid} is still recording, so its run stays")
    if clearing.rejected:
        folder = clearing.spool / "rejected"
        say(f"Left alone: {batches(len(clearing.rejected))} that a server rejected, in {folder}")
    if clearing.unreadable is not None:
        error = clearing.unreadable
        say(
            f"Warning: no snapshots go, as {error.filename} cannot be read and may refer to them: {error.strerror}"
        )


def _summary(clearing: Clearing) -> str:
    counts = (
        (len(clearing.sessions), "session"),
        (len(clearing.batch_files), "batch file"),
        (len(clearing.snapshot_folders), "snapshot folder"),
        (len(clearing.orphans), "orphan"),
    )
    parts = [units.counted(count, noun) for count, noun in counts if count]
    return f"{', '.join(parts)} ({units.size(clearing.size_bytes)})"


def _check(deleted: Deleted) -> None:
    if not deleted.failures:
        return
    first = deleted.failures[0]
    raise CirronError(
        f"{len(deleted.failures):,} of the files and folders could not be deleted, the first of them "
        f"{first.filename}: {first.strerror}. {deleted.files:,} are gone ({units.size(deleted.size_bytes)}); "
        "see to the permissions and try again"
    )
