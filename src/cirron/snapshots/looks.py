"""What one torch tensor looks like now, whatever kind of tensor it is."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from cirron import signals
from cirron.snapshots.copies import copy_of
from cirron.snapshots.keep import ONLY_STATS, STATS, Keep
from cirron.snapshots.statistics import (
    READ_IN_PLACE,
    Unreadable,
    divided,
    dtype_name,
    host_statistics,
    require_memory,
    to_record,
)
from cirron.snapshots.variables import Variable, array_statistics, copy_of_array, is_variable, read
from cirron.spool.records import Stats

if TYPE_CHECKING:
    import numpy
    from torch import Tensor

    from cirron._recorder.native import Statistics
    from cirron.snapshots.on_devices import OnDevices


ATTR_NONFINITE = "nonfinite"
ATTR_UNREADABLE = "unreadable"
ATTR_UNWRITABLE = "unwritable"
ATTR_LAYOUT = "layout"
ATTR_SHARD = "shard"
ATTR_OF = "of"
ATTR_UNSCALED = "unscaled"

_READ_IN_HOST_MEMORY = ("cpu", "mps")  # the latter has no float64, and is the same memory
_WRITABLE = READ_IN_PLACE - {"complex128"}  # which safetensors does not know


@dataclass
class Look:
    """The part of a snapshot that its tensor decides.

    Attributes:
        shape: of the whole tensor, also where only a shard of it is here.
        dtype: such as `float32`.
        stats: None where the elements cannot be read; an attribute says why.
        attrs: what else there is to know.
        values: a copy of the values, or of a sample of them; None where none was to be made, or could be.
    """

    shape: list[int]
    dtype: str
    stats: Stats | None = None
    attrs: dict[str, Any] = field(default_factory=dict)
    values: Tensor | numpy.ndarray | None = None


def look_at(
    tensor: Tensor | Variable, on_devices: OnDevices, keep: Keep = ONLY_STATS, divisor: float = 1.0
) -> Look:
    """What the tensor looks like; never raises for want of elements to read.

    Args:
        tensor: it stays as it is.
        on_devices: is asked for the statistics of a tensor that is not in host memory: the look is complete when they
            are fetched.
        keep: which values to copy besides.
        divisor: what the elements are multiplied by, as gradients are by a scaler, and what is to be undone here.
    """
    try:
        look = Look(list(tensor.shape), dtype_name(tensor))
    except Exception as error:  # a lazy parameter has no shape yet, and says so in its own way
        if signals.has_raised(error):
            raise
        return Look([], "unknown", attrs={ATTR_UNREADABLE: type(error).__name__})
    try:
        if is_variable(tensor):
            _fill_in_variable(look, tensor, keep)
        else:
            _fill_in(look, tensor, on_devices, keep, divisor)
    except Unreadable as reason:
        look.attrs[ATTR_UNREADABLE] = str(reason)
    except Exception as error:  # fake and functional tensors, and those of other libraries
        if signals.has_raised(error):
            raise
        look.attrs[ATTR_UNREADABLE] = f"{type(tensor).__name__}: {type(error).__name__}"
    return look


def local_part(tensor: Tensor, attrs: dict[str, Any]) -> Tensor:
    """The elements that are here, of any kind of tensor, as a dense one.

    Args:
        tensor: it stays as it is.
        attrs: gets what there is to say of how the whole tensor is kept.

    Raises:
        Unreadable: there are none.
    """
    local = _strided(_shard(tensor.detach(), attrs), attrs)
    require_memory(local)
    return local


def _fill_in(look: Look, tensor: Tensor, on_devices: OnDevices, keep: Keep, divisor: float) -> None:
    local = local_part(tensor, look.attrs)
    if local.is_complex():
        look.attrs[ATTR_OF] = "magnitudes"
    if divisor != 1:
        look.attrs[ATTR_UNSCALED] = divisor
    if local.device.type in _READ_IN_HOST_MEMORY:
        _tell(look, divisor, host_statistics(_readable(local)))
    else:
        on_devices.ask(local, partial(_tell, look, divisor))
    if keep.mode != STATS:
        _copy(look, local, keep, divisor)


def _fill_in_variable(look: Look, variable: Variable, keep: Keep) -> None:
    array = read(variable)
    if array.dtype.name not in READ_IN_PLACE:
        raise Unreadable(array.dtype.name)
    _tell(look, 1, array_statistics(array))
    if keep.mode != STATS and array.dtype.name in _WRITABLE:
        look.values = copy_of_array(array, keep)


def _readable(local: Tensor) -> Tensor:
    """In host memory, of a type that the core knows; small numbers become larger ones."""
    import torch

    in_host_memory = local.cpu()
    if dtype_name(local) in READ_IN_PLACE:
        return in_host_memory
    return in_host_memory.to(torch.complex64 if local.is_complex() else torch.float32)


def _tell(look: Look, divisor: float, found: Statistics | Exception) -> None:
    if isinstance(found, Exception):
        look.attrs[ATTR_UNREADABLE] = f"{look.dtype}: {type(found).__name__}"
        return
    look.stats = to_record(divided(found, divisor))
    if found[1] > 0:
        look.attrs[ATTR_NONFINITE] = found[1]


def _copy(look: Look, local: Tensor, keep: Keep, divisor: float) -> None:
    reason = _unwritable(look, local)
    if reason is None:
        look.values = copy_of(local, keep, divisor)
    else:
        look.attrs[ATTR_UNWRITABLE] = reason


def _unwritable(look: Look, local: Tensor) -> str | None:
    """Why values cannot go into a file; None where they can."""
    if ATTR_LAYOUT in look.attrs:
        return "sparse"
    return None if dtype_name(local) in _WRITABLE else dtype_name(local)


def _shard(tensor: Tensor, attrs: dict[str, Any]) -> Tensor:
    """The part of a distributed tensor that this process holds."""
    distributed = getattr(sys.modules.get("torch.distributed.tensor"), "DTensor", None)
    if distributed is None or not isinstance(tensor, distributed):
        return tensor
    local: Tensor = tensor.to_local()
    if not all(placement.is_replicate() for placement in tensor.placements):
        attrs[ATTR_SHARD] = f"{list(local.shape)} by {', '.join(map(str, tensor.placements))}"
    return local


def _strided(tensor: Tensor, attrs: dict[str, Any]) -> Tensor:
    """The tensor, or the values that a sparse one stores."""
    import torch

    if tensor.is_meta:
        raise Unreadable("on the meta device, which has no elements")
    if tensor.is_quantized:
        raise Unreadable("quantized")
    if tensor.layout == torch.strided:
        return tensor
    attrs[ATTR_LAYOUT] = str(tensor.layout).removeprefix("torch.")
    if tensor.layout == torch.sparse_coo:
        return tensor.coalesce().values()
    return tensor.values()
