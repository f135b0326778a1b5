"""Measuring on CUDA devices, from the moment on that the program has initialised them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from cirron.hooks.patches import Patches
from cirron.hooks.torch.captures import Captures
from cirron.hooks.torch.device_memory import Begun, DeviceMemory
from cirron.hooks.torch.device_times import DeviceTime, DeviceTimes

if TYPE_CHECKING:
    from cirron.hooks.target import Target


class DeviceHooks:
    """Gives the session a meter once there is something to measure; it never initialises a device itself.

    Args:
        target: whose meter it is.
        cuda: `torch.cuda`, or what behaves like it.
        core: `torch._C`, likewise.
    """

    def __init__(self, target: Target, cuda: Any, core: Any) -> None:
        self._target = target
        self._cuda = cuda
        self._core = core
        self._waiting = Patches()
        self._patches = Patches()
        self._memory: DeviceMemory | None = None

    def install(self) -> None:
        """Begin to measure, or to wait for the devices to be initialised."""
        if self._cuda.is_initialized():
            self._begin()
        else:
            # torch calls it by this name when the first tensor goes to a device.
            self._waiting.set(self._cuda, "_lazy_init", self._initialising(self._cuda._lazy_init))

    def remove(self) -> None:
        """Leave everything as it was."""
        self._target.set_meter(None)
        self._waiting.undo()
        self._end()

    def _initialising(self, original: Any) -> Any:
        @functools.wraps(original)
        def lazy_init() -> Any:
            result = original()
            if self._cuda.is_initialized():  # and not in the middle of it
                self._waiting.undo()
                self._begin()
            return result

        return lazy_init

    def _begin(self) -> None:
        try:
            captures = Captures(self._cuda)
            self._memory = DeviceMemory.shared(self._core, self._cuda, self._target.faults)
            captures.install(self._patches)
            self._target.set_meter(Meter(DeviceTimes(self._cuda, captures), self._memory))
        except Exception as error:  # noqa: BLE001 - a release that nobody here has seen; the user's call goes on
            self._end()
            self._target.faults.note("hooks.torch", error, "no time and no memory of devices is measured")

    def _end(self) -> None:
        self._patches.undo()
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.give_back()


class Meter:
    """See `Recorder.set_meter`."""

    def __init__(self, times: DeviceTimes, memory: DeviceMemory) -> None:
        self._times = times
        self._memory = memory

    def __call__(self) -> Reading:
        """A scope begins."""
        memory = self._memory.begin()
        return Reading(self._times, self._times.begin(), self._memory, memory)


class Reading:
    """Of one scope that is open."""

    __slots__ = ("_begun", "_memory", "_memory_begun", "_times")

    def __init__(
        self,
        times: DeviceTimes,
        begun: tuple[int, Any] | None,
        memory: DeviceMemory,
        memory_begun: Begun | None,
    ) -> None:
        self._times = times
        self._begun = begun
        self._memory = memory
        self._memory_begun = memory_begun

    def __call__(self) -> tuple[int | None, DeviceTime | None]:
        """The scope ends."""
        time = None if self._begun is None else self._times.end(self._begun)
        memory = None if self._memory_begun is None else self._memory.end(self._memory_begun)
        return memory, time
