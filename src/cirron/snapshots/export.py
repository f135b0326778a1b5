"""Writes the values of tensors to a file of the user's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cirron.errors import CirronError

if TYPE_CHECKING:
    import numpy

Tensors: TypeAlias = "Iterable[tuple[str, numpy.ndarray]]"


def export(path: Path, tensors: Tensors) -> None:
    """Write tensors in the format that the file's suffix names; the file appears when it is complete.

    Args:
        path: ends in one of `SUFFIXES`. `.npy` holds a single tensor, the others each under its name.
        tensors: names and values. numpy's own formats do not know bfloat16; it becomes float32 there.

    Raises:
        CirronError: the file is there already, or cannot be written.

    Example:
        >>> export(Path("weights.npz"), [("layer1.weight", file.read("layer1.weight"))])
    """
    if path.exists():
        raise CirronError(f"{path} is there already: delete it, or choose another name")
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        _WRITERS[path.suffix](unfinished, tensors)
        unfinished.replace(path)
    except OSError as error:
        raise CirronError(f"{path} cannot be written: {_reason(error)}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _write_npy(path: Path, tensors: Tensors) -> None:
    from numpy.lib import format as npy

    with path.open("wb") as file:
        for _, values in tensors:
            npy.write_array(file, _for_numpy(values), allow_pickle=False)


def _write_npz(path: Path, tensors: Tensors) -> None:
    """As `numpy.savez` does, but with one tensor in memory at a time, and whatever a tensor is called."""
    from zipfile import ZipFile

    from numpy.lib import format as npy

    with ZipFile(path, "w") as archive:
        for name, values in tensors:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                npy.write_array(file, _for_numpy(values), allow_pickle=False)


def _write_safetensors(path: Path, tensors: Tensors) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:
        raise CirronError(f"{path} cannot be written: {error}") from error


def _reason(error: OSError) -> str:
    """What the system says; numpy keeps only how many values it could write of how many, which means a full disk."""
    return error.strerror or f"no room for it ({error})"


def _for_numpy(values: numpy.ndarray) -> numpy.ndarray:
    return values.astype("float32") if values.dtype.name == "bfloat16" else values


_WRITERS: dict[str, Callable[[Path, Tensors], None]] = {
    ".npy": _write_npy,
    ".npz": _write_npz,
    ".safetensors": _write_safetensors,
}
SUFFIXES = tuple(_WRITERS)
