"""CUDA graphs that are being captured, and what must not happen meanwhile.

While a stream captures, an event that somebody records becomes a part of the graph, and a question about another event,
from whatever thread, may spoil the capture.
"""

from __future__ import annotations

import functools
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks.patches import Patches


class Captures:
    """Knows whether a graph is being captured anywhere in the process.

    Args:
        cuda: `torch.cuda`, or what behaves like it.
    """

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        self._under_way = 0
        self._lock = RLock()

    def install(self, patches: Patches) -> None:
        """Begin to hear of captures."""
        graph = self._cuda.CUDAGraph
        patches.set(graph, "capture_begin", self._beginning(graph.capture_begin))
        patches.set(graph, "capture_end", self._ending(graph.capture_end))

    def is_one_here(self) -> bool:
        """Whether the calling thread had better leave its stream alone."""
        return self._under_way > 0 or self._cuda.is_current_stream_capturing()

    def outside(self, ask: Callable[[], None]) -> None:
        """Ask something about events, during which no capture begins; not while there is one."""
        with self._lock:
            if self._under_way == 0:
                ask()

    def _beginning(self, original: Any) -> Any:
        @functools.wraps(original)
        def capture_begin(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self._under_way += 1
                try:
                    return original(*args, **kwargs)
                except BaseException:
                    self._under_way -= 1
                    raise

        return capture_begin

    def _ending(self, original: Any) -> Any:
        @functools.wraps(original)
        def capture_end(*args: Any, **kwargs: Any) -> Any:
            try:
                return original(*args, **kwargs)
            finally:
                self._under_way = max(0, self._under_way - 1)

        return capture_end
