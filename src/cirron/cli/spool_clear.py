"""`cirron spool clear`: delete the batches in a spool."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from cirron.cli.confirm import confirmed
from cirron.cli.messages import say
from cirron.cli.spool_folder import (
    batch_files,
    batches,
    dir_option,
    nothing_in,
    size_text,
    spool_folder,
    total_bytes,
)
from cirron.errors import CirronError
from cirron.spool import SpoolFile
from cirron.spool.delete import delete_batches
from cirron.spool.files import BATCH_NAME
from cirron.tree import units


@click.command(
    "clear",
    epilog="""Example:

    \b
    cirron spool clear                                # asks first
    cirron spool clear --force
    cirron spool clear --dir archive/.cirron/spool
    """,
)
@dir_option
@click.option("--force", is_flag=True, help="Delete without asking.")
def clear_command(directory: Path | None, force: bool) -> int:
    """Delete the batches in the spool, sent or not.

    Asks first unless --force is given, and reads the answer from standard input; anything but y or yes leaves all
    as it is, with exit code 1. Batches that come in meanwhile stay, and so does what a session that still runs has
    not written yet. Needs no network.
    """
    spool = spool_folder(directory)
    files = batch_files(spool)
    _mention_rejected(spool)
    if not files:
        print(nothing_in(spool))
        return 0
    if not force and not confirmed(_question(spool, files)):
        say("Aborted: nothing was deleted; --force deletes without asking.")
        return 1
    print(f"Success: Deleted {units.counted(_delete(spool, files), 'spool file')}.")
    return 0


def _question(spool: Path, files: Sequence[SpoolFile]) -> str:
    counted = units.counted(len(files), "spool file")
    return f"Delete {counted} ({size_text(total_bytes(files))}) from {spool}?"


def _delete(spool: Path, files: Sequence[SpoolFile]) -> int:
    """Delete these files; returns how many were there.

    Raises:
        CirronError: some could not be deleted.
    """
    deleted = delete_batches(spool, files)
    if deleted.failures:
        first = deleted.failures[0]
        raise CirronError(
            f"{units.counted(len(deleted.failures), 'spool file')} could not be deleted, {deleted.files:,} were: "
            f"{first.filename}: {first.strerror}; see who may write to {spool}"
        )
    return deleted.files


def _mention_rejected(spool: Path) -> None:
    folder = spool / "rejected"
    if not folder.is_dir():
        return
    count = sum(BATCH_NAME.fullmatch(path.name) is not None for path in folder.iterdir())
    if count > 0:
        say(f"Left alone: {batches(count)} that a server rejected, in {folder}")
