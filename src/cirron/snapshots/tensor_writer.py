"""Writes one file of values, in the safetensors format."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cirron.spool.belongings import list_snapshot_folders

if TYPE_CHECKING:
    import numpy
    from torch import Tensor

UNFINISHED = ".tmp"
_UNFINISHED = ("*.tmp", ".tmp*")  # ours, and what safetensors writes under a name of its own first
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_ID_HEAD = 16  # digits that all ids of one recorder share


def write_tensors(path: Path, tensors: dict[str, Tensor | numpy.ndarray], fsync: bool) -> None:
    """Write tensors under their names; the file is there when it is complete.

    Args:
        path: the file, whose folder is made.
        tensors: dense ones in host memory.
        fsync: have it reach the device first.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        save_file({name: _array(tensor) for name, tensor in tensors.items()}, unfinished)
        _settle(unfinished, fsync)
        unfinished.replace(path)
    except SafetensorError as error:
        raise _of_system(error) from error
    finally:
        unfinished.unlink(missing_ok=True)
        with suppress(OSError):  # it holds something
            path.parent.rmdir()


def remove_unfinished(output_dir: Path) -> None:
    """Remove what processes were writing when they were killed.

    Raises:
        OSError: the system does not let it be listed or removed.
    """
    live = tuple(journal.name[:_ID_HEAD] for journal in (output_dir / "journal").glob("*.journal"))
    for folder in list_snapshot_folders(output_dir):
        if not folder.name.startswith(live):
            for path in (path for pattern in _UNFINISHED for path in folder.glob(pattern)):
                path.unlink(missing_ok=True)
            with suppress(OSError):  # it holds something
                folder.rmdir()


def _of_system(error: Exception) -> OSError:
    """What the system said of a file; safetensors keeps it in the message alone."""
    code = _OS_ERROR.search(str(error))
    return OSError(str(error)) if code is None else OSError(int(code[1]), os.strerror(int(code[1])))


def _array(tensor: Tensor | numpy.ndarray) -> Any:
    import numpy

    if isinstance(tensor, numpy.ndarray):
        return tensor
    import torch

    if tensor.dtype == torch.bfloat16:
        from ml_dtypes import bfloat16

        return tensor.view(torch.int16).numpy().view(bfloat16)
    return tensor.numpy()


def _settle(path: Path, fsync: bool) -> None:
    """Give the file the rights that its folder's would have, as what writes it lets nobody else read it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, path.parent.stat().st_mode & 0o666)
        if fsync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
