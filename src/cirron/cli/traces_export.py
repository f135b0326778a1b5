"""`cirron traces export`: what a session recorded, for other tools."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

import click

from cirron.cli.local_spool import Chosen, chosen, mention, session_option, spool_option
from cirron.cli.messages import say
from cirron.export import FORMATS, FileFormat, Format, Source, new_file, new_folder, standard_output
from cirron.spool import Session
from cirron.tree import units

_STDOUT = "-"
_TERMINATED = 128 + signal.SIGTERM
PROGRESS_FROM = 200_000  # records; fewer are done before anybody wonders

_PURPOSE = """Write what was recorded in the format of another tool.

By default the newest run with all its ranks and workers. Scopes that are still open are written as open."""


def _help() -> str:
    width = max(map(len, FORMATS))
    formats = "\n".join(f"  {form.name:<{width}}  {form.summary}" for form in FORMATS.values())
    return f"{_PURPOSE}\n\n\b\nFormats:\n{formats}"


@click.command(
    "export",
    help=_help(),
    short_help="Write what was recorded in the format of another tool.",
    epilog="""Example:

    \b
    cirron traces export --format perfetto                  # then open it at https://ui.perfetto.dev
    cirron traces export --format parquet --output run-42   # run-42/spans.parquet, ...
    cirron traces export --format json --output - | jq '.spans | length'
    """,
)
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), required=True, help="One of the formats above."
)
@click.option(
    "--output",
    metavar="P",
    help="The file or folder to write; - for standard output. [default: cirron-<session> in the current folder]",
)
@session_option
@spool_option
@click.option("--force", is_flag=True, help="Replace what is there.")
def export_command(form: str, output: str | None, session: str | None, spool: Path, force: bool) -> None:
    """Choose, write, and say what was written; the help is above."""
    wanted = FORMATS[form]
    _check_output(wanted, output)
    with _terminable():
        selection = chosen(spool, session)
        if output == _STDOUT and isinstance(wanted, FileFormat):
            source = _to_standard_output(wanted, selection)
            written = f"Wrote {_counts(source)} to standard output"
        else:
            target = Path(output or f"cirron-{selection.name}{wanted.suffix}")
            source = _to_target(wanted, selection, target, force)
            written = (
                f"Wrote {target}: {_counts(source)}, {units.size(_size_bytes(target))}; {wanted.next_step}"
            )
    mention(selection.reader)
    for warning in source.warnings:
        say(f"Warning: {warning}")
    say(written)


def _check_output(wanted: Format, output: str | None) -> None:
    if output == "":
        raise click.UsageError("--output is empty: name a file or folder, or leave it out.")
    if output != _STDOUT:
        return
    if not isinstance(wanted, FileFormat):
        raise click.UsageError(f"{wanted.name} is a folder of files: name one with --output.")
    if not wanted.is_text and sys.stdout.isatty():
        raise click.UsageError(f"{wanted.name} is not for a terminal: name a file with --output.")


def _to_standard_output(wanted: FileFormat, selection: Chosen) -> Source:
    with standard_output() as sink, _source(selection) as source:
        wanted.write(source, sink)
    return source


def _to_target(wanted: Format, selection: Chosen, target: Path, force: bool) -> Source:
    if isinstance(wanted, FileFormat):
        with new_file(target, replace=force) as sink, _source(selection) as source:
            wanted.write(source, sink)
    else:
        with new_folder(target, replace=force) as folder, _source(selection) as source:
            wanted.write(source, folder)
    return source


@contextmanager
def _source(selection: Chosen) -> Iterator[Source]:
    """What was chosen, with a progress bar where somebody may be waiting."""
    sessions = selection.sessions
    total = sum(map(_records, sessions))
    if total < PROGRESS_FROM or not sys.stderr.isatty() or os.environ.get("NO_COLOR"):
        yield Source(selection.run, sessions, selection.reader)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("exporting", total=total)
        progress = partial(bars.advance, bar)
        yield Source(selection.run, sessions, selection.reader, progress)


def _records(session: Session) -> int:
    return session.spans + session.marks + session.snapshots


def _counts(source: Source) -> str:
    """What the format has taken, which need not be all there is."""
    told = [(source.spans, "span"), (source.marks, "mark"), (source.snapshots, "snapshot")]
    return ", ".join(units.counted(count, noun) for count, noun in told if count or noun == "span")


def _size_bytes(target: Path) -> int:
    files = target.iterdir() if target.is_dir() else [target]
    return sum(file.stat().st_size for file in files)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the command as an exception would, so that nothing half stays behind."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
