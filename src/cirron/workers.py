"""Worker processes: children of a recording process that record sessions of their own.

A forked child knows its parent's session from memory. A spawned one is a new program; it finds what it has to
know in an environment variable that its parent sets while it records.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cirron.settings import Settings

VARIABLE = "CIRRON_PARENT"
NOT_PASSED_ON = frozenset({"api_key", "api_endpoint"})  # a worker writes; its parent delivers


@dataclass(frozen=True)
class Lineage:
    """Whose child a session is.

    Attributes:
        worker: what the process is called among its siblings: the number of a torch DataLoader's worker, else
            the name of the process.
        parent_session_id: of the process that made it.
        parent_pid: that process.
    """

    worker: str
    parent_session_id: str
    parent_pid: int

    def parent_delivers(self, journal_dir: Path) -> bool:
        """Whether the parent's session is still there, and writes to the same folder: its sender takes all along."""
        if not (journal_dir / f"{self.parent_session_id}.journal").exists():
            return False
        try:
            os.kill(self.parent_pid, 0)
        except ProcessLookupError:  # it was killed, or has left a daemon behind
            return False
        except PermissionError:  # it lives, under another user
            pass
        return True


@dataclass(frozen=True)
class Announcement:
    """What a recording process tells those it may spawn.

    Attributes:
        pid: that process.
        session_id: its session.
        settings: of that session.
        frameworks: which it has hooked; None for all that are known.
    """

    pid: int
    session_id: str
    settings: Settings
    frameworks: tuple[str, ...] | None

    def publish(self) -> None:
        """Put it into the environment, which spawned processes inherit."""
        settings = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in asdict(self.settings).items()
            if name not in NOT_PASSED_ON
        }
        told = {"pid": self.pid, "session_id": self.session_id, "frameworks": self.frameworks}
        os.environ[VARIABLE] = json.dumps(told | {"settings": settings})

    def withdraw(self) -> None:
        """Take it back, unless another session has put its own in place."""
        found = _read()
        if found is not None and found.session_id == self.session_id:
            os.environ.pop(VARIABLE, None)


def announced() -> Announcement | None:
    """What the process that spawned this one has announced; None where multiprocessing did not make it."""
    found = _read() if _is_spawned() else None
    return found if found is not None and found.pid != os.getpid() else None


def worker_name() -> str:
    """What this child process is called among its siblings."""
    loader = dataloader_worker()
    if loader is not None:
        return loader
    if is_multiprocessing_child():
        return str(sys.modules["multiprocessing.process"].current_process().name)
    return f"fork-{os.getpid()}"


def dataloader_worker() -> str | None:
    """The number of the torch DataLoader's worker that this process is, else None; torch is not imported for it."""
    module = sys.modules.get("torch.utils.data._utils.worker")
    info = module.get_worker_info() if module is not None else None
    return None if info is None else str(info.id)


def is_multiprocessing_child() -> bool:
    """Whether multiprocessing has made this process."""
    module = sys.modules.get("multiprocessing.process")
    return module is not None and (module.parent_process() is not None or _is_being_spawned())


def _is_spawned() -> bool:
    module = sys.modules.get("multiprocessing.spawn")
    return module is not None and is_multiprocessing_child()


def _is_being_spawned() -> bool:
    """While a spawned child imports the main module, multiprocessing does not name its parent yet."""
    process = sys.modules["multiprocessing.process"].current_process()
    return bool(getattr(process, "_inheriting", False))


def _read() -> Announcement | None:
    """None also for a variable that somebody else has set to something of his own."""
    try:
        found = json.loads(os.environ.get(VARIABLE, "null"))
        return None if found is None else _announcement(found)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _announcement(found: dict[str, Any]) -> Announcement:
    known = {field.name for field in fields(Settings)}
    given = {name: value for name, value in found["settings"].items() if name in known}
    given["output_dir"] = Path(given["output_dir"])
    given["output"] = tuple(given["output"])
    frameworks = None if found["frameworks"] is None else tuple(map(str, found["frameworks"]))
    return Announcement(int(found["pid"]), str(found["session_id"]), Settings(**given), frameworks)
