"""`cirron traces snapshot`: what tensors looked like in one span, and their values."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import click
import msgspec

from cirron.cli.candidates import complete_spans, complete_tensors
from cirron.cli.local_spool import mention, seal_journals, spool_option
from cirron.cli.messages import say
from cirron.cli.table import print_line
from cirron.errors import CirronError
from cirron.snapshots import SUFFIXES, SpanPattern, Taken, TensorFile, export, list_snapshots
from cirron.snapshots.choice import of_tensor, require_one_span
from cirron.snapshots.facts import STATISTICS, shape_text, statistic, to_dict
from cirron.snapshots.histogram import draw, sketch
from cirron.spool import Snapshot, find_spool, read
from cirron.tree import units

_TEXT_CELLS = 100


@click.command(
    "snapshot",
    short_help="Show what one span's tensors looked like.",
    epilog="""Example:

    \b
    cirron traces snapshot 446a507b..1f3                        # all tensors of a span
    cirron traces snapshot 446a507b..1f3 fc.weight --preview 8  # one, and its first values
    cirron traces snapshot 446a507b..1f3 --export weights.npz   # the values, for numpy
    """,
)
@click.argument("span", shell_complete=complete_spans)
@click.argument("tensor", required=False, shell_complete=complete_tensors)
@click.option("--preview", type=click.IntRange(min=1), metavar="N", help="Show the first N values as well.")
@click.option(
    "--export",
    "target",
    type=click.Path(path_type=Path),
    metavar="P",
    help=f"Write the values to a new file instead: {', '.join(SUFFIXES)}.",
)
@spool_option
@click.option("--json", "as_json", is_flag=True, help="Print the snapshots as JSON.")
def snapshot_command(
    span: str, tensor: str | None, preview: int | None, target: Path | None, spool: Path, as_json: bool
) -> None:
    """Show what the tensors of one span looked like: statistics and a histogram.

    SPAN is how its id begins, or its beginning and its end with two dots between them, as `cirron traces snapshots`
    lists them. TENSOR is the name of one tensor, or how it begins or ends if that is enough to tell.

    Values are there only where ci.profile() was told to keep them, and need the extra cirron[snapshots].
    """
    if target is not None:
        _check_export(target, preview, as_json)
    taken = _taken(span, tensor, spool)
    if target is not None:
        _export(taken, spool, target)
    elif as_json:
        print(msgspec.json.encode([_as_dict(each, spool, preview) for each in taken]).decode())
    else:
        _print(taken, spool, preview, whole=tensor is not None)


def _check_export(target: Path, preview: int | None, as_json: bool) -> None:
    if preview is not None or as_json:
        raise click.UsageError("--export writes a file and prints nothing: leave out --preview and --json.")
    if target.suffix not in SUFFIXES:
        raise click.UsageError(
            f"--export {units.clean(str(target))}: the name tells the format, so end it in {', '.join(SUFFIXES)}."
        )


def _taken(span: str, tensor: str | None, spool: Path) -> list[Taken]:
    seal_journals(spool)
    reader = read(spool)
    taken = list_snapshots(reader, SpanPattern.parse(span))
    mention(reader)
    require_one_span(taken, span)
    return taken if tensor is None else of_tensor(taken, tensor)


def _file(blob_uri: str, spool: Path) -> TensorFile:
    return TensorFile(find_spool(spool).parent, blob_uri)


def _as_dict(taken: Taken, spool: Path, preview: int | None) -> dict[str, Any]:
    if preview is None:
        return to_dict(taken)
    snapshot, first = taken.snapshot, list[Any]()
    if snapshot.blob_uri is not None:
        first = _file(snapshot.blob_uri, spool).first(snapshot.tensor_name, preview).tolist()
    return to_dict(taken) | {"preview": [str(v) if isinstance(v, complex) else v for v in first]}


def _print(taken: Sequence[Taken], spool: Path, preview: int | None, *, whole: bool) -> None:
    previews = [_preview(each.snapshot, spool, preview) for each in taken]  # first, as a file may be damaged
    first = taken[0]
    print_line(f"{units.clean(first.scope)}  span {units.clean(first.snapshot.span_id)}")
    for each, lines in zip(taken, previews, strict=True):
        print_line("")
        for line in (*_description(each.snapshot, whole), *lines):
            print_line(line)


def _description(snapshot: Snapshot, whole: bool) -> Iterator[str]:
    name, dtype = units.clean(snapshot.tensor_name), units.clean(snapshot.dtype)
    yield f"{name}  {shape_text(snapshot.shape)}  {dtype}  {snapshot.mode}  {units.instant(snapshot.ts_ns)}"
    if snapshot.stats is None:
        yield "  no statistics were taken"
        return
    yield "  " + "  ".join(f"{each} {statistic(snapshot, each)}" for each in STATISTICS)
    histogram = snapshot.stats.histogram
    if histogram is None:
        yield "  no histogram: one is drawn only when all elements are finite"
    elif whole:
        yield from (f"  {line}" for line in draw(histogram))
    else:
        yield f"  {sketch(histogram)}"


def _preview(snapshot: Snapshot, spool: Path, count: int | None) -> list[str]:
    if count is None:
        return []
    if snapshot.blob_uri is None:
        return [f"  no values were kept, in the mode {snapshot.mode}"]
    file = _file(snapshot.blob_uri, spool)
    first = file.first(snapshot.tensor_name, count).tolist()
    there, recorded = (prod(shape) for shape in (file.shape(snapshot.tensor_name), snapshot.shape))
    head = f"first {len(first):,} of {units.counted(there, 'value')}"
    if there != recorded:
        head += f", a sample of {recorded:,}"
    text = f"{head}: {', '.join(map(_number, first)) or 'none'}"
    return textwrap.wrap(text, _TEXT_CELLS, initial_indent="  ", subsequent_indent="    ")


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _export(taken: Sequence[Taken], spool: Path, target: Path) -> None:
    newest = {each.snapshot.tensor_name: each.snapshot for each in taken}
    kept = {name: snapshot.blob_uri for name, snapshot in newest.items() if snapshot.blob_uri is not None}
    if not kept:
        raise CirronError(
            'there are no values to export, only statistics; ci.profile(snapshots="full") keeps the values'
        )
    if target.suffix == ".npy" and len(kept) > 1:
        raise CirronError(
            f"a .npy file holds one tensor, and there are {len(kept)}: name one, or export a .npz"
        )
    export(target, ((name, _file(blob_uri, spool).read(name)) for name, blob_uri in kept.items()))
    say(f"Wrote {units.counted(len(kept), 'tensor')} to {target}")
    if missing := len(newest) - len(kept):
        say(f"Left out {units.counted(missing, 'tensor')} of which only statistics were kept")
