"""Every batch of a run, wherever it is by now, and what is wrong with where they are."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from cirron.spool import Problem, seal_dead_journals
from faults.fault import Ran, Stage
from support.spool_checks import broken_promises

_BATCH_FILE = re.compile(r"\d{20}-[0-9a-f]{32}\.json")


def recover(stage: Stage) -> Iterator[str]:
    """Seal the journals of the dead, also where a whole `.cirron` was moved aside."""
    for root in {path.parent.parent for top in (stage.root, stage.aside) for path in top.rglob("*.journal")}:
        yield from (str(found) for found in seal_dead_journals(root) if isinstance(found, Problem))
    left = [*stage.root.rglob("*.journal"), *stage.root.rglob("*.tmp")]
    yield from (f"{path.name} was left behind" for path in left)


def gather(stage: Stage, ran: Ran) -> dict[str, bytes]:
    """Every batch once, by its file's name."""
    files = {path.name: path.read_bytes() for path in _batch_files(stage)}
    accepted = stage.server.accepted.values() if stage.server is not None else ()
    printed = (json.dumps(json.loads(event)["payload"]).encode() for event in ran.events)
    for content in (*accepted, *printed):
        batch = json.loads(content)
        files.setdefault(f"{batch['created_ns']:020}-{batch['batch_id']}.json", content)
    return files


def _batch_files(stage: Stage) -> list[Path]:
    """Also where they were moved."""
    paths = (path for top in (stage.root, stage.aside) for path in top.rglob("*.json"))
    return [path for path in paths if _BATCH_FILE.fullmatch(path.name)]


def different_copies(stage: Stage) -> Iterator[str]:
    """Batches of which a server was sent something else."""
    if stage.server is None:
        return
    for path in _batch_files(stage):
        if path.read_bytes() != stage.server.accepted.get(path.stem[21:], path.read_bytes()):
            yield f"{path.name} differs from what was sent"
    for batch_id in stage.server.differing:
        yield f"batch {batch_id} was sent again with other bytes"


def broken(stage: Stage, files: dict[str, bytes], lossy: bool) -> list[str]:
    """What of the format's promises is broken; a lost span leaves those behind that refer to it."""
    together = stage.folder / "together"
    together.mkdir()
    for name, content in files.items():
        (together / name).write_bytes(content)
    promises = list(broken_promises(together))
    shutil.rmtree(together)
    return [promise for promise in promises if not (lossy and "which is nowhere" in promise)][:20]
