"""What a container may have: the memory limits of the control groups, version 1 or 2, that this process is in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc/self")


@dataclass(frozen=True)
class Names:
    """How one version of control groups calls its files, and what of its use the kernel would give back at once."""

    limit: str
    usage: str
    reclaimable: bytes


VERSION_1 = Names("memory.limit_in_bytes", "memory.usage_in_bytes", b"total_inactive_file")
VERSION_2 = Names("memory.max", "memory.current", b"inactive_file")


@dataclass(frozen=True)
class Group:
    """One control group with a limit."""

    folder: Path
    names: Names

    def limit_bytes(self) -> int | None:
        """The most it may use; None for no limit.

        Raises:
            OSError: the group is gone.
        """
        text = (self.folder / self.names.limit).read_bytes().strip()
        return None if text == b"max" else int(text)

    def used_bytes(self) -> int:
        """What it uses, without the cached files that are dropped before anything fails.

        Raises:
            OSError: the group is gone.
        """
        used_bytes = int((self.folder / self.names.usage).read_bytes())
        return max(0, used_bytes - self._reclaimable_bytes())

    def _reclaimable_bytes(self) -> int:
        for line in (self.folder / "memory.stat").read_bytes().splitlines():
            name, _, value = line.partition(b" ")
            if name == self.names.reclaimable:
                return int(value)
        return 0


def limited_groups(total_bytes: int, proc: Path | None = None) -> list[Group]:
    """The groups of this process, and those around them, that allow less than the machine has.

    Args:
        total_bytes: what the machine has.
        proc: the folder of the process below `/proc`; by default that of this process.
    """
    return [group for group in _groups(proc or PROC) if _is_limited(group, total_bytes)]


def _is_limited(group: Group, total_bytes: int) -> bool:
    try:
        limit_bytes = group.limit_bytes()
    except OSError:  # the outermost group has no limit, and a folder that is not visible here has no file
        return False
    return limit_bytes is not None and limit_bytes < total_bytes


def _groups(proc: Path) -> Iterator[Group]:
    try:
        paths = dict(_paths((proc / "cgroup").read_text()))
        mounts = list(_mounts((proc / "mountinfo").read_text()))
    except OSError:  # not Linux, or /proc is hidden: there is no limit that we could know
        return
    for names, root, folder in mounts:
        inside = _below(root, paths.get(names.limit, "/"))
        yield from (Group(each, names) for each in (folder / inside, *_parents(folder, inside)))


def _paths(text: str) -> Iterator[tuple[str, str]]:
    """Where in each hierarchy the process is, by the name of the file with the limit."""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield VERSION_2.limit, path
        elif "memory" in controllers.split(","):
            yield VERSION_1.limit, path


def _mounts(text: str) -> Iterator[tuple[Names, str, Path]]:
    """Each hierarchy that limits memory: the part of it that is visible, and where."""
    for line in text.splitlines():
        mount, _, system = line.partition(" - ")
        root, folder = mount.split()[3:5]
        kind, _, options = system.split(maxsplit=2)
        if kind == "cgroup2":
            yield VERSION_2, root, Path(folder)
        elif kind == "cgroup" and "memory" in options.split(","):
            yield VERSION_1, root, Path(folder)


def _below(root: str, path: str) -> str:
    """A path within what is visible of its hierarchy; a container often sees its own group as the root."""
    root = root.rstrip("/")
    is_inside = path == root or path.startswith(f"{root}/")
    return path.removeprefix(root).strip("/") if is_inside else ""


def _parents(folder: Path, inside: str) -> Iterator[Path]:
    here = folder / inside
    while here != folder:
        here = here.parent
        yield here
