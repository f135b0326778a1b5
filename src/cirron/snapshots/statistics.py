"""The statistics of one torch tensor in host memory, read where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cirron._recorder import array_stats
from cirron.spool.records import Histogram, Stats

if TYPE_CHECKING:
    from torch import Tensor

    from cirron._recorder.native import Statistics
    from cirron.snapshots.variables import Variable

_WHOLE = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
READ_IN_PLACE = frozenset((*_WHOLE, "float16", "bfloat16", "float32", "float64", "complex64", "complex128"))


class Unreadable(Exception):  # noqa: N818 - a verdict, which becomes an attribute of the snapshot
    """The elements of a tensor are nowhere to be read; the message says why."""


def dtype_name(tensor: Tensor | Variable) -> str:
    """As in a snapshot: `float32`."""
    return str(tensor.dtype).removeprefix("torch.")


def host_statistics(tensor: Tensor) -> Statistics:
    """What the elements of a dense tensor in host memory come to; other threads of Python run meanwhile.

    See `require_memory` first.
    """
    tensor = tensor.resolve_neg()
    return array_stats(tensor.data_ptr(), dtype_name(tensor), tuple(tensor.shape), tensor.stride())


def divided(found: Statistics, divisor: float) -> Statistics:
    """What the statistics would be had each element been divided by a positive number before."""
    if divisor == 1:
        return found
    finite, nonfinite, *numbers, bins, counts = found
    mean, std, least, greatest, norm = (None if number is None else number / divisor for number in numbers)
    edges = None if bins is None else [edge / divisor for edge in bins]
    return finite, nonfinite, mean, std, least, greatest, norm, edges, counts


def to_record(found: Statistics) -> Stats:
    """The statistics as a snapshot has them."""
    _, _, mean, std, least, greatest, norm, bins, counts = found
    histogram = None if bins is None or counts is None else Histogram(bins=list(bins), counts=counts)
    return Stats(mean=mean, std=std, min=least, max=greatest, norm=norm, histogram=histogram)


def require_memory(tensor: Tensor) -> None:
    """Refuse to read beyond what there is: a tensor keeps its shape when its storage shrinks.

    Raises:
        Unreadable: its memory is gone, as that of a parameter which FSDP has sharded and freed, or it never had any, as
            a fake tensor or one that is made of others.
    """
    if tensor.numel() == 0:
        return
    storage = tensor.untyped_storage()
    if storage.device.type == "meta" or tensor.data_ptr() == 0 < storage.nbytes():
        raise Unreadable(f"{type(tensor).__name__}: it has no memory of its own")
    reach = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    needed = (tensor.storage_offset() + reach + 1) * tensor.element_size()
    if storage.nbytes() < needed:
        raise Unreadable("its memory has been freed")
