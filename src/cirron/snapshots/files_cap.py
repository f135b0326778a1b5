"""Keeps the files of values within their size: the oldest spans' files go, and are counted."""

from __future__ import annotations

import shutil
from pathlib import Path

from cirron.faults import SPOOL, Faults
from cirron.spool.belongings import list_snapshot_folders, size_of

GOAL_SHARE = 0.9  # how full the folder is left when room was made
UNSEEN_SHARE = 1 / 32  # of it may be written before all is measured anew, which takes time for each folder


class FilesCap:
    """The cap on one folder of snapshots, which all processes that write there keep, each when it has written.

    Args:
        output_dir: the folder with `snapshots/` in it.
        max_bytes: how large that may become.
        faults: takes what goes wrong.

    Attributes:
        removed_count: spans whose files this process has removed.
    """

    def __init__(self, output_dir: Path, max_bytes: int, faults: Faults) -> None:
        self.removed_count = 0
        self._output_dir = output_dir
        self._max_bytes = max_bytes
        self._faults = faults
        self._room_bytes = 0  # that may be written before all is measured again

    def keep(self, newest: str) -> None:
        """Make room if it is needed.

        Args:
            newest: the span whose files were just written, and stay in any case.
        """
        self._room_bytes -= size_of(self._output_dir / "snapshots" / newest)
        if self._room_bytes < 0:
            left_bytes = self._max_bytes - self._keep_all(newest)
            self._room_bytes = min(left_bytes, int(self._max_bytes * UNSEEN_SHARE))

    def _keep_all(self, newest: str) -> int:
        """Measure everything and make room; returns the size of what is left."""
        folders = list_snapshot_folders(self._output_dir)
        sizes_bytes = {folder: size_of(folder) for folder in folders}
        total_bytes = sum(sizes_bytes.values())
        if total_bytes <= self._max_bytes:
            return total_bytes
        goal_bytes = self._max_bytes * GOAL_SHARE
        for folder in sorted(folders, key=_changed_ns):
            if total_bytes > goal_bytes and folder.name != newest and self._remove(folder):
                total_bytes -= sizes_bytes[folder]
        return total_bytes

    def _remove(self, folder: Path) -> bool:
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:  # another process is making room as well
            return False
        except OSError as error:
            self._faults.note(
                SPOOL, error, f"{folder} cannot be removed, so snapshots may outgrow their limit"
            )
            return False
        self.removed_count += 1
        if self.removed_count == 1:
            self._faults.warn(
                f"snapshots have reached their cap of {self._max_bytes:,} bytes, so the files of the oldest are "
                "removed and counted; a larger `snapshot_max_bytes` keeps more"
            )
        return True


def _changed_ns(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
