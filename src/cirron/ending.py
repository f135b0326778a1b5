"""How the program comes to its end, as far as the interpreter tells while it exits."""

from __future__ import annotations

import atexit
import sys

TYPE_CHECKING = False  # as in cirron.instance
if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.util import Finalize

COMPLETED = "completed"


def by_exception(error: BaseException) -> str:
    """The session's ending for an exception that ends the program."""
    if isinstance(error, KeyboardInterrupt):
        return by_signal("SIGINT")
    return COMPLETED if isinstance(error, SystemExit) else f"exception: {type(error).__name__}"


def by_signal(name: str) -> str:
    """The session's ending for a signal such as `SIGTERM`."""
    return f"signal: {name}"


class Exit:
    """Watches for how the program will have ended.

    Attributes:
        expected: the ending that was announced, if the program should exit without an exception.
    """

    def __init__(self) -> None:
        self.expected = COMPLETED
        self._earlier = id(_last_unhandled())  # by id: the exception must not live longer because of us

    def verdict(self) -> str:
        """How the program ends; to be asked by what runs at its exit."""
        leaving = sys.exc_info()[1]  # multiprocessing exits its children while the exception is on its way
        if leaving is not None:
            return by_exception(leaving)
        error = _last_unhandled()
        if error is None or id(error) == self._earlier or not _ended_the_program(error):
            return self.expected
        return by_exception(error)


def _last_unhandled() -> BaseException | None:
    """The exception that the interpreter printed last, which is before it exits."""
    return getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)


def _ended_the_program(error: BaseException) -> bool:
    """Not one that a prompt or a test runner printed and survived."""
    if hasattr(sys, "ps1"):
        return False
    return error.__traceback__ is None or error.__traceback__.tb_frame.f_back is None


class AtExit:
    """Has a function called when this program, or this child of multiprocessing, exits."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._finalize: Finalize | None = None

    def register(self) -> None:
        """From here on it will be called, once."""
        self.cancel()  # a forked child has its parent's registration
        atexit.register(self._function)
        if "multiprocessing.util" in sys.modules:  # whose children end without what atexit has
            from multiprocessing import util

            self._finalize = util.Finalize(None, self._function, exitpriority=-100)

    def cancel(self) -> None:
        """It will not be called."""
        atexit.unregister(self._function)
        if self._finalize is not None:
            self._finalize.cancel()
            self._finalize = None
