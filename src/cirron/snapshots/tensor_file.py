"""The files with the values of tensors, in the safetensors format."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from os.path import isfile, realpath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cirron.errors import CirronDependencyError, CirronError

if TYPE_CHECKING:
    import numpy

EXTRA = "snapshots"
_TYPES = frozenset(
    ("BOOL", "U8", "I8", "U16", "I16", "F16", "BF16", "U32", "I32", "F32", "U64", "I64", "F64", "C64")
)
_BLOB_URI = re.compile(r"snapshots/[0-9a-f]{32}/[^/\0]+", re.ASCII)


class TensorFile:
    """One file of a `.cirron` folder with the values of tensors, each under the tensor's name.

    Args:
        output_dir: the `.cirron` folder.
        blob_uri: the file as a snapshot names it, relative to that folder.

    Raises:
        CirronError: the name leads out of the folder's snapshots, or to no file.
        CirronDependencyError: what reads such files is not installed.

    Example:
        >>> file = TensorFile(Path(".cirron"), snapshot.blob_uri)
        >>> file.first("layer1.weight", 3)
        array([0.1 , 0.25, 0.5 ], dtype=float32)
    """

    def __init__(self, output_dir: Path, blob_uri: str) -> None:
        self.path = _located(output_dir, blob_uri)
        _require_packages()

    def shape(self, name: str) -> list[int]:
        """The shape of the values; a sample is flat, and smaller than its tensor.

        Raises:
            CirronError: the file is damaged, or has no such tensor.
        """
        with self._opened(name) as (_, values):
            return [int(size) for size in values.get_shape()]

    def first(self, name: str, count: int) -> numpy.ndarray:
        """The first values in row-major order, as a flat array; hardly more than those is read.

        Raises:
            CirronError: as for `read`.
        """
        with self._opened(name) as (file, values):
            _require_type(values, self.path)
            shape = values.get_shape()
            is_short = math.prod(shape) <= count
            part: numpy.ndarray = file.get_tensor(name) if is_short else values[_leading(shape, count)]
            return part.ravel()[:count]

    def read(self, name: str) -> numpy.ndarray:
        """All values of a tensor.

        Raises:
            CirronError: the file is damaged, has no such tensor, or numpy has no type for it.
        """
        with self._opened(name) as (file, values):
            _require_type(values, self.path)
            whole: numpy.ndarray = file.get_tensor(name)
            return whole

    @contextmanager
    def _opened(self, name: str) -> Iterator[tuple[Any, Any]]:
        """The file, and a view of one tensor in it."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, framework="numpy") as file:
                self._require_tensor(name, file.keys())
                yield file, file.get_slice(name)
        except SafetensorError as error:
            raise CirronError(f"{self.path} is no intact safetensors file: {error}") from error

    def _require_tensor(self, name: str, names: list[str]) -> None:
        if name not in names:
            there = ", ".join(sorted(names)[:5]) or "nothing"
            raise CirronError(f"{self.path} has no tensor '{name}': it holds {there}")


def _located(output_dir: Path, blob_uri: str) -> Path:
    """The file, which has to lie in the folder's `snapshots/` itself, not behind a link out of it."""
    folder, path = output_dir / "snapshots", output_dir / blob_uri
    # Links in a circle are no error to realpath, while Path.resolve() raises one before Python 3.13.
    if not _BLOB_URI.fullmatch(blob_uri) or not Path(realpath(path)).is_relative_to(realpath(folder)):
        raise CirronError(f"'{blob_uri}' does not lie in {folder}, so it is not opened")
    if not isfile(path):  # noqa: PTH113 - which is false for a name that is too long as well
        raise CirronError(
            f"the values are gone: there is no file {path}; look in a copy of the folder if you have one"
        )
    return path


def _require_packages() -> None:
    """What reads the files, and ml_dtypes so that numpy knows bfloat16."""
    try:
        import ml_dtypes  # noqa: F401
        import numpy  # noqa: F401
        import safetensors  # noqa: F401
    except ImportError as error:
        raise CirronDependencyError(
            f"to read the values of snapshots needs {error.name}: install cirron[{EXTRA}]"
        ) from error


def _require_type(values: Any, path: Path) -> None:
    if values.get_dtype() not in _TYPES:
        raise CirronError(f"{path} holds values of type {values.get_dtype()}, which numpy does not have")


def _leading(shape: list[int], count: int) -> tuple[int | slice, ...]:
    """The part of a tensor that holds its first values, as an index: at most twice as many as asked for."""
    axis = len(shape) - 1
    while math.prod(shape[axis:]) < count:
        axis -= 1
    rows = math.ceil(count / math.prod(shape[axis + 1 :]))
    return (*[0] * axis, slice(0, rows))
