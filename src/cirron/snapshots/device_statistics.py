"""The statistics of tensors by torch's own operations, on any device that has float64.

The elements of all tensors of a device are laid out in rows of one width, each row of one tensor. So how much there is
to launch depends on how many elements there are, hardly on how many tensors. Nothing waits for the device but the end.
Where squares have left the range of float64, tensors are gone through once more, scaled by powers of two.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from cirron._recorder.native import Statistics

_ROW_ELEMENTS = 1024
_PART_ROWS = 2048  # at work at once: 16 MiB as float64, and some 80 MiB with what is computed from them
_BUCKETS = 16
_MOMENTS = 6
_FINITE, _MEAN, _STD, _LEAST, _GREATEST, _NORM = range(_MOMENTS)
_USUAL_EXPONENT = 400


def torch_statistics(tensors: Sequence[Tensor]) -> list[Statistics]:
    """What `array_stats` says of arrays, computed where the tensors are; nearly always it arrives in one transfer.

    Args:
        tensors: dense ones, all on the same device, which has float64.
    """
    import torch

    with torch.no_grad():
        numbers = _numbers(tensors).cpu().tolist()
        _correct_extreme(tensors, numbers)
    return [_statistics(tensor.numel(), row) for tensor, row in zip(tensors, numbers, strict=True)]


def _correct_extreme(tensors: Sequence[Tensor], numbers: list[list[float]]) -> None:
    """Compute mean, deviation and norm anew where their sums have left the range of float64."""
    scales = {place: scale for place, row in enumerate(numbers) if (scale := _better_scale(row)) != 1}
    if not scales:
        return
    scaled = _numbers([tensors[place] for place in scales], list(scales.values())).cpu().tolist()
    for (place, scale), row in zip(scales.items(), scaled, strict=True):
        for moment in (_MEAN, _STD, _NORM):
            numbers[place][moment] = row[moment] / scale


def _better_scale(numbers: list[float]) -> float:
    """A power of two; 1 where no square leaves the range, as in the core."""
    largest = max(abs(numbers[_LEAST]), abs(numbers[_GREATEST]))
    _, exponent = math.frexp(largest)
    is_usual = abs(exponent) < _USUAL_EXPONENT or numbers[_FINITE] == 0
    return 1.0 if is_usual else math.ldexp(1.0, -max(exponent, -1000))


def _statistics(size: int, numbers: list[float]) -> Statistics:
    finite, *moments = numbers[:_MOMENTS]
    nonfinite = size - int(finite)
    if finite == 0:
        return 0, nonfinite, None, None, None, None, None, None, None
    edges, reached = numbers[_MOMENTS : _MOMENTS + _BUCKETS + 1], numbers[_MOMENTS + _BUCKETS + 1 :]
    reached = [finite, *reached, 0.0]
    counts = [int(reached[i] - reached[i + 1]) for i in range(_BUCKETS)]
    mean, std, least, greatest, norm = moments
    mean = min(max(mean, least), greatest)
    return int(finite), nonfinite, mean, _or_none(std), least, greatest, _or_none(norm), edges, counts


def _or_none(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _numbers(tensors: Sequence[Tensor], scales: Sequence[float] | None = None) -> Tensor:
    """A row for each tensor: its moments, its edges, and how many elements reach each inner edge.

    Args:
        tensors: as above.
        scales: by what the elements of each are multiplied first; None for nothing.
    """
    import torch

    owners = torch.split(_owners(tensors), _PART_ROWS)  # of no rows it makes one part
    finite, total = torch.zeros((2, len(tensors)), dtype=torch.float64, device=tensors[0].device)
    least, greatest = torch.full_like(finite, math.inf), torch.full_like(finite, -math.inf)
    for part, owner in zip(_scaled_parts(tensors, owners, scales), owners, strict=False):
        finite.index_add_(0, owner, part.isfinite().sum(1, dtype=torch.float64))
        total.index_add_(0, owner, part.nansum(1))
        least.scatter_reduce_(0, owner, part.nan_to_num(math.inf).amin(1), "amin")
        greatest.scatter_reduce_(0, owner, part.nan_to_num(-math.inf).amax(1), "amax")
    mean, edges = total / finite, _edges(least, greatest)
    squares, reached = torch.zeros_like(finite), torch.zeros_like(edges[:, 1:-1].T)
    for part, owner in zip(_scaled_parts(tensors, owners, scales), owners, strict=False):
        squares.index_add_(0, owner, (part - mean[owner, None]).square_().nansum(1))
        is_reached = part >= edges[owner, 1:-1].T[:, :, None]
        reached.index_add_(1, owner, is_reached.sum(2, dtype=torch.float64))
    norm = (squares + finite * mean.square()).sqrt()
    moments = torch.stack((finite, mean, (squares / finite).sqrt(), least, greatest, norm), 1)
    return torch.cat((moments, edges, reached.T), 1)


def _owners(tensors: Sequence[Tensor]) -> Tensor:
    """For each row the place of its tensor among the tensors."""
    import torch

    places = [
        torch.full((_rows(each.numel()),), place, device="cpu", dtype=torch.int64)
        for place, each in enumerate(tensors)
    ]
    return torch.cat(places).to(tensors[0].device, non_blocking=True)


def _scaled_parts(
    tensors: Sequence[Tensor], owners: Sequence[Tensor], scales: Sequence[float] | None
) -> Iterator[Tensor]:
    import torch

    if scales is None:
        yield from _parts(tensors)
    else:
        factors = torch.tensor(scales, dtype=torch.float64, device=tensors[0].device)
        for part, owner in zip(_parts(tensors), owners, strict=False):
            yield part.mul_(factors[owner, None])


def _parts(tensors: Sequence[Tensor]) -> Iterator[Tensor]:
    """All rows, some at a time."""
    pieces: list[Tensor] = []
    room = _PART_ROWS
    for tensor in tensors:
        left = tensor.reshape(-1)
        while _rows(left.numel()) >= room:
            yield _laid_out([*pieces, left[: room * _ROW_ELEMENTS]])
            left, pieces, room = left[room * _ROW_ELEMENTS :], [], _PART_ROWS
        pieces.append(left)
        room -= _rows(left.numel())
    if room < _PART_ROWS:
        yield _laid_out(pieces)


def _laid_out(pieces: Sequence[Tensor]) -> Tensor:
    """Each piece in rows of its own, with NaN for what is not finite and where a row has no more elements."""
    import torch

    count = sum(_rows(piece.numel()) for piece in pieces) * _ROW_ELEMENTS
    elements = torch.full((count,), math.nan, dtype=torch.float64, device=pieces[0].device)
    sizes = [size for each in pieces for size in (each.numel(), -each.numel() % _ROW_ELEMENTS)]
    places = torch.split(elements, sizes)
    torch._foreach_copy_(places[::2], [_magnitudes(piece) for piece in pieces])
    return elements.masked_fill_(elements.isinf(), math.nan).view(-1, _ROW_ELEMENTS)


def _magnitudes(piece: Tensor) -> Tensor:
    import torch

    return piece.to(torch.complex128).abs() if piece.is_complex() else piece


def _rows(size: int) -> int:
    return math.ceil(size / _ROW_ELEMENTS)


def _edges(least: Tensor, greatest: Tensor) -> Tensor:
    """17 edges for each tensor; equal elements get buckets around them."""
    import torch

    most = sys.float_info.max
    half = torch.where(least == greatest, torch.clamp(least.abs() * 2**-20, min=0.5), 0)
    low, high = (least - half).clamp(min=-most)[:, None], (greatest + half).clamp(max=most)[:, None]
    share = torch.arange(_BUCKETS + 1, dtype=low.dtype, device=low.device) / _BUCKETS
    spread = high - low
    edges = torch.where(spread.isfinite(), low + spread * share, low * (1 - share) + high * share)
    return torch.cat((torch.minimum(edges[:, :-1], high), high), 1)
