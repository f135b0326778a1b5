"""What one torch tensor looks like now, whatever kind of tensor it is."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cirron.snapshots.device_statistics import torch_statistics
from cirron.snapshots.statistics import READ_IN_PLACE, Unreadable, dtype_name, host_statistics, to_record
from cirron.spool.records import Stats

if TYPE_CHECKING:
    from torch import Tensor

ATTR_NONFINITE = "nonfinite"
ATTR_UNREADABLE = "unreadable"
ATTR_LAYOUT = "layout"
ATTR_SHARD = "shard"
ATTR_OF = "of"


@dataclass
class Look:
    """The part of a snapshot that its tensor decides.

    Attributes:
        shape: of the whole tensor, also where only a shard of it is here.
        dtype: such as `float32`.
        stats: None where the elements cannot be read; an attribute says why.
        attrs: what else there is to know.
    """

    shape: list[int]
    dtype: str
    stats: Stats | None = None
    attrs: dict[str, Any] = field(default_factory=dict)


def look_at(tensor: Tensor) -> Look:
    """What the tensor looks like; never raises for want of elements to read."""
    try:
        look = Look(list(tensor.shape), dtype_name(tensor))
    except Exception as error:  # noqa: BLE001 - a lazy parameter has no shape yet, and says so in its own way
        return Look([], "unknown", attrs={ATTR_UNREADABLE: type(error).__name__})
    try:
        _fill_in(look, tensor)
    except Unreadable as reason:
        look.attrs[ATTR_UNREADABLE] = str(reason)
    except Exception as error:  # noqa: BLE001 - fake and functional tensors, and those of other libraries
        look.attrs[ATTR_UNREADABLE] = f"{type(tensor).__name__}: {type(error).__name__}"
    return look


def _fill_in(look: Look, tensor: Tensor) -> None:
    local = _strided(_shard(tensor.detach(), look), look)
    in_place = local.device.type == "cpu" and dtype_name(local) in READ_IN_PLACE
    found = host_statistics(local) if in_place else torch_statistics(local)
    look.stats = to_record(found)
    if found[1] > 0:
        look.attrs[ATTR_NONFINITE] = found[1]
    if local.is_complex():
        look.attrs[ATTR_OF] = "magnitudes"


def _shard(tensor: Tensor, look: Look) -> Tensor:
    """The part of a distributed tensor that this process holds."""
    distributed = getattr(sys.modules.get("torch.distributed.tensor"), "DTensor", None)
    if distributed is None or not isinstance(tensor, distributed):
        return tensor
    local: Tensor = tensor.to_local()
    if not all(placement.is_replicate() for placement in tensor.placements):
        look.attrs[ATTR_SHARD] = f"{list(local.shape)} by {', '.join(map(str, tensor.placements))}"
    return local


def _strided(tensor: Tensor, look: Look) -> Tensor:
    """The tensor, or the values that a sparse one stores."""
    import torch

    if tensor.is_meta:
        raise Unreadable("on the meta device, which has no elements")
    if tensor.is_quantized:
        raise Unreadable("quantized")
    if tensor.layout == torch.strided:
        return tensor
    look.attrs[ATTR_LAYOUT] = str(tensor.layout).removeprefix("torch.")
    if tensor.layout == torch.sparse_coo:
        return tensor.coalesce().values()
    return tensor.values()
