"""By which means the programs of the faults cause them in their own process and surroundings."""

import contextlib
import errno
import itertools
import os
import resource
import subprocess
import uuid
from pathlib import Path

from user import ROOT

ASIDE = Path("../aside").absolute()
PROGRAMS = Path(__file__).parent
REFUSE = Path(os.environ["FAULTS_REFUSE"]) if "FAULTS_REFUSE" in os.environ else None
HANG = -1  # for `refuse`, in place of an error number


def limit(name, amount=None):
    """Limit a resource for a while; without an amount, no more."""
    kind = getattr(resource, f"RLIMIT_{name}")
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (hard if amount is None else amount, hard))


def refuse(number, folder):
    """Have the C library refuse, with an error number, what would change a folder; see `shim/refuse.c`."""
    REFUSE.write_text(f"{number} {folder}")


def refuse_nothing():
    """Take back `refuse`."""
    REFUSE.write_text("")


def fill_disk():
    """Leave no room in the file system of `.cirron`."""
    ROOT.mkdir(exist_ok=True)
    if REFUSE:
        refuse(errno.ENOSPC, ROOT)
        return
    with (ROOT / "ballast").open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            _write_while_possible(file, bytes(size))


def _write_while_possible(file, block):
    with contextlib.suppress(OSError):
        while file.write(block):
            pass


def empty_disk():
    """Take back `fill_disk`."""
    if REFUSE:
        refuse_nothing()
        return
    (ROOT / "ballast").unlink()


def fill_inodes():
    """Leave no inode in the file system of `.cirron`."""
    ROOT.mkdir(exist_ok=True)
    if REFUSE:
        refuse(errno.ENOSPC, ROOT)
        return
    with contextlib.suppress(OSError):
        for number in itertools.count():
            (ROOT / f"ballast-{number}").touch()


def empty_inodes():
    """Take back `fill_inodes`."""
    if REFUSE:
        refuse_nothing()
        return
    for path in ROOT.glob("ballast-*"):
        path.unlink()


def mount_over(folder):
    """Cover a folder with an empty one on a read-only file system."""
    folder.mkdir(parents=True, exist_ok=True)
    if REFUSE:
        refuse(errno.EROFS, folder)
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", folder], check=True)


def unmount(folder):
    """Take back `mount_over`."""
    if REFUSE:
        refuse_nothing()
        return
    subprocess.run(["umount", folder], check=True)


def chmod(folder, mode):
    """Change the mode of a folder, made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(mode)


def take_away(path):
    """Move a file or folder to where nobody but the test finds it."""
    with contextlib.suppress(FileNotFoundError):
        path.rename(ASIDE / (path.name if path.suffix else uuid.uuid4().hex))
