"""The statistics of a tensor by torch's own operations: on any device, and for types that only torch can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from cirron._recorder.native import Statistics

_PART_ELEMENTS = 4 * 1024 * 1024
_BUCKETS = 16


def torch_statistics(tensor: Tensor) -> Statistics:
    """What `array_stats` says of an array, computed where the tensor is; all of it arrives in one transfer.

    A part of the tensor at a time is held as float64, or as float32 where the device has no float64.
    """
    import torch

    with torch.no_grad():
        numbers = [float(number) for number in _numbers(tensor.reshape(-1)).cpu().tolist()]
    finite, mean, std, least, greatest, norm = numbers[:6]
    nonfinite = tensor.numel() - int(finite)
    if finite == 0:
        return 0, nonfinite, None, None, None, None, None, None, None
    bins, reached = numbers[6 : 7 + _BUCKETS], [finite, *numbers[7 + _BUCKETS :], 0.0]
    counts = [int(reached[i] - reached[i + 1]) for i in range(_BUCKETS)]
    return int(finite), nonfinite, mean, std, least, greatest, norm, bins, counts


def _numbers(flat: Tensor) -> Tensor:
    """Everything that is asked for, in one small tensor on the device."""
    import torch

    parts = torch.split(flat, _PART_ELEMENTS) if flat.numel() > 0 else ()
    zero = torch.zeros((), dtype=_wide(flat), device=flat.device)
    count, total, least, greatest = zero, zero, zero + torch.inf, zero - torch.inf
    for part in parts:
        values, is_finite = _values(part)
        count, total = count + is_finite.sum(), total + values.sum()
        least = torch.minimum(least, torch.where(is_finite, values, torch.inf).amin())
        greatest = torch.maximum(greatest, torch.where(is_finite, values, -torch.inf).amax())
    mean, edges = total / count, _edges(least, greatest)
    squares, reached = zero, torch.zeros_like(edges[1:-1])
    for part in parts:
        values, is_finite = _values(part)
        squares = squares + torch.where(is_finite, values - mean, 0).square().sum()
        reached = reached + torch.stack([(is_finite & (values >= edge)).sum() for edge in edges[1:-1]])
    moments = (count, mean, (squares / count).sqrt(), least, greatest, (squares + count * mean * mean).sqrt())
    return torch.cat([torch.stack(moments), edges, reached])


def _wide(tensor: Tensor) -> torch.dtype:
    import torch

    return torch.float32 if tensor.device.type == "mps" else torch.float64


def _values(part: Tensor) -> tuple[Tensor, Tensor]:
    """The finite elements, with zeros in place of the others, and which they are."""
    import torch

    magnitudes = part.to(torch.complex128).abs() if part.is_complex() else part
    wide = magnitudes.to(_wide(part))
    is_finite = wide.isfinite()
    return torch.where(is_finite, wide, 0), is_finite


def _edges(least: Tensor, greatest: Tensor) -> Tensor:
    """17 edges; equal elements get buckets around them."""
    import torch

    half = torch.where(least == greatest, torch.clamp(least.abs() * 2**-20, min=0.5), 0)
    low, high = least - half, greatest + half
    share = torch.arange(_BUCKETS + 1, dtype=low.dtype, device=low.device) / _BUCKETS
    return torch.minimum(low + (high - low) * share, high)
