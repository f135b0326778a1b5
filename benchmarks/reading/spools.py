"""The spools that are read, each in a folder of its own."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.driver import environment, progress
from benchmarks.reading.settings import Settings

NONE, SMALL, LARGE, MANY = "none", "small", "large", "many"
FIRST_NS = 1_795_218_610_000_000_000


class RecordingError(Exception):
    """The program that records a spool failed; the message is what it said."""


@dataclass(frozen=True)
class Spool:
    """A folder with a `.cirron` in it, unless nothing is read, and what that holds."""

    folder: Path
    spans: int
    marks: int
    files: int
    size_bytes: int


def make_spools(parent: Path, settings: Settings) -> dict[str, Spool]:
    """Records and writes all of them below `parent`, by name."""
    (parent / NONE).mkdir()
    return {
        NONE: Spool(parent / NONE, spans=0, marks=0, files=0, size_bytes=0),
        SMALL: _recorded(parent / SMALL, settings.small_spans),
        LARGE: _recorded(parent / LARGE, settings.large_spans),
        MANY: _many_files(parent / MANY, settings.files),
    }


def _recorded(folder: Path, spans: int) -> Spool:
    progress(f"recording {spans:,} spans")
    folder.mkdir()
    program = [sys.executable, "-m", "benchmarks.reading.training", str(spans)]
    ran = subprocess.run(
        program, cwd=folder, env=environment(folder), stderr=subprocess.PIPE, text=True, check=False
    )
    if ran.returncode:
        raise RecordingError(ran.stderr[-2000:])
    return _as_listed(folder)


def _as_listed(folder: Path) -> Spool:
    listing = [sys.executable, "-m", "cirron.cli", "traces", "list", "--json"]
    [session] = json.loads(subprocess.check_output(listing, cwd=folder, env=environment(folder)))
    facts = {key: session[key] for key in ("spans", "marks", "files", "size_bytes")}
    return Spool(folder, **facts)


def _many_files(folder: Path, count: int) -> Spool:
    """Batches without a record: only their names and sizes matter."""
    progress(f"writing {count:,} files")
    spool = folder / ".cirron" / "spool"
    spool.mkdir(parents=True)
    size_bytes = sum(_write_empty_batch(spool, number) for number in range(count))
    return Spool(folder, spans=0, marks=0, files=count, size_bytes=size_bytes)


def _write_empty_batch(spool: Path, number: int) -> int:
    batch = {
        "schema_version": 1,
        "sdk_version": "1.0.0",
        "batch_id": f"{number:032x}",
        "created_ns": FIRST_NS + number * 1_000_000_000,
        "spans": [],
        "marks": [],
        "snapshots": [],
    }
    return (spool / f"{batch['created_ns']:020}-{batch['batch_id']}.json").write_text(json.dumps(batch))
