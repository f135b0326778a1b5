"""What the `cirron spool` commands share: which directory is meant, the batches in it, and how they are spoken of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from cirron.cli.local_spool import mention_problems, seal_journals
from cirron.spool import SpoolFile, find_spool
from cirron.spool.files import scan
from cirron.tree import units

DEFAULT = Path(".cirron", "spool")

Command = TypeVar("Command", bound=Callable[..., Any])


def dir_option(command: Command) -> Command:
    """The `--dir` of all `cirron spool` commands."""
    return click.option(
        "--dir",
        "directory",
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="The spool directory, or a folder that holds one. [default: ./.cirron/spool]",
    )(command)


def spool_folder(given: Path | None) -> Path:
    """The absolute path of the spool, after what dead processes left beside it was sealed.

    Args:
        given: as on the command line; None for the default, which need not exist.

    Raises:
        FileNotFoundError, NotADirectoryError: the user named a spool, and there is none at that path.
    """
    if given is None and not DEFAULT.parent.exists():
        return DEFAULT.absolute()
    around = DEFAULT.parent if given is None else given
    seal_journals(around)
    spool = find_spool(around).absolute()
    return spool.resolve() if ".." in spool.parts else spool


def batch_files(spool: Path) -> list[SpoolFile]:
    """The batches in a spool, oldest first, none of them opened; what is no batch is mentioned."""
    files, problems = scan(spool)
    mention_problems(problems)
    return files


def nothing_in(spool: Path) -> str:
    """The line for a spool without batches."""
    return f"No spool files found in {units.clean(str(spool))}"


def size_text(size_bytes: int) -> str:
    """`444 B`, `6 KB`, `2.51 MB`, `1.00 GB`: powers of 1024, with decimals from the megabyte on."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    if round(size_bytes / 1024) < 1024:
        return f"{round(size_bytes / 1024)} KB"
    megabytes = size_bytes / 1024**2
    return f"{megabytes:.2f} MB" if megabytes < 1023.995 else f"{megabytes / 1024:.2f} GB"


def total_bytes(files: Sequence[SpoolFile]) -> int:
    """What the batches take together."""
    return sum(file.size_bytes for file in files)


def batches(count: int) -> str:
    """`1 batch`, `2 batches`."""
    return f"{count:,} batch" + ("" if count == 1 else "es")
