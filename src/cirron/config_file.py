"""The user's config file, `~/.cirron/config.json`: read by sessions, read and changed by the command line."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cirron.errors import CirronConfigError

MAX_BYTES = 1 << 20
LOCK_WAIT_S = 10.0  # others hold the lock for milliseconds

Document = dict[str, Any]


def user_config_file() -> Path | None:
    """`~/.cirron/config.json`, or None where there is no home directory."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    is_known = home.is_absolute() and os.environ.get("HOME") != ""  # an empty one would pass for the root
    return home / ".cirron" / "config.json" if is_known else None


def read_config_file(path: Path) -> Document:
    """What the config file holds; nothing where there is no such file.

    Raises:
        CirronConfigError: it cannot be read, or is not a JSON object.
    """
    try:
        document = json.loads(_text_of(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise CirronConfigError(
            f"{path} cannot be read ({error.strerror}): make it readable for this user"
        ) from error
    except UnicodeDecodeError as error:
        raise _damaged(path, f"byte {error.start}", "not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise _damaged(path, f"line {error.lineno}, column {error.colno}", error.msg) from error
    except (RecursionError, ValueError) as error:
        raise _damaged(path, "line 1, column 1", "nested too deeply, or with a number too long") from error
    if not isinstance(document, dict):
        raise _damaged(path, "line 1, column 1", "not a JSON object")
    return document


def _text_of(path: Path) -> str:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # to open a pipe would wait for whoever writes to it
        raise CirronConfigError(f"{path} is no regular file: move it away")
    if status.st_size > MAX_BYTES:
        raise CirronConfigError(
            f"{path} is larger than {MAX_BYTES:,} bytes, so it is not cirron's: move it away"
        )
    return path.read_text(encoding="utf-8-sig")  # Windows' editors begin a file with a mark


def _damaged(path: Path, position: str, reason: str) -> CirronConfigError:
    return CirronConfigError(f"{path}, {position}: {reason}. Correct the file, or delete it to start over")


def change(path: Path, edit: Callable[[Document], None]) -> Document:
    """Change the config file as a whole or not at all, and return what it holds then.

    Several processes may do this at once: each edit begins with what the one before left. What the edit does not
    touch stays, unknown keys and the order included. Only this user can read the file afterwards.

    Args:
        path: the file; it and its folder are made where they are missing. A symbolic link stays one.
        edit: changes the document in place.

    Raises:
        CirronConfigError: the file is damaged or cannot be written; it is as it was.
        CirronError: another process is changing it, and does not come to an end.

    Example:
        change(path, lambda document: document.update(timeout=60000))
    """
    from cirron.file_lock import locked

    try:
        _make_private_folder(path.parent)
        with locked(path.with_name(path.name + ".lock"), LOCK_WAIT_S):
            document = read_config_file(path)
            edit(document)
            _replace(path.resolve(), json.dumps(document, indent=2) + "\n")
    except OSError as error:
        raise CirronConfigError(
            f"{path} cannot be written ({error.strerror}): make room for it, or make its folder writable for this "
            "user; it is as it was before"
        ) from error
    return document


def _make_private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        with suppress(
            PermissionError
        ):  # it is not this user's folder; the file in it is closed to others anyway
            folder.chmod(mode & 0o700)


def _replace(path: Path, text: str) -> None:
    """Put the text in place of the file; until all of it is on the disk, the file is the old one."""
    new = path.with_name(path.name + ".tmp")
    new.unlink(missing_ok=True)  # a killed process's, as the lock is ours
    try:
        _write_private(new, text.encode())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)  # whatever the umask has taken from it
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Have the renaming outlive a loss of power; the change is made already, so a refusal is no failure."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
