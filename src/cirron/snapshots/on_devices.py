"""Statistics that are computed on devices: asked for one by one, computed and fetched together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cirron import signals
from cirron.snapshots.device_statistics import torch_statistics

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from cirron._recorder.native import Statistics


class _Asked(NamedTuple):
    tensor: Tensor
    tell: Callable[[Statistics | Exception], None]


class OnDevices:
    """What is asked of devices until it is fetched, with one transfer from each of them.

    Example:
        on_devices = OnDevices()
        for tensor in tensors:
            on_devices.ask(tensor, print)
        on_devices.fetch()
    """

    def __init__(self) -> None:
        self._asked: dict[torch.device, list[_Asked]] = defaultdict(list)

    def ask(self, tensor: Tensor, tell: Callable[[Statistics | Exception], None]) -> None:
        """Have `tell` called at the next fetch, with the statistics of a dense tensor or why there are none."""
        self._asked[tensor.device].append(_Asked(tensor, tell))

    def fetch(self) -> None:
        """Compute what was asked for."""
        while self._asked:
            _, asked = self._asked.popitem()
            _answer(asked)


def _answer(asked: Sequence[_Asked]) -> None:
    try:
        found = torch_statistics([each.tensor for each in asked])
    except Exception as error:  # no memory there, or a type that nothing is computed with
        if signals.has_raised(error):
            raise
        if len(asked) == 1:
            asked[0].tell(error)
        else:  # the others may be none the worse for one of them
            for each in asked:
                _answer([each])
        return
    for each, statistics in zip(asked, found, strict=True):
        each.tell(statistics)
