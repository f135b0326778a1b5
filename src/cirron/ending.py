"""How the program comes to its end, as far as the interpreter tells while it exits."""

from __future__ import annotations

import atexit
import sys

TYPE_CHECKING = False  # as in cirron.instance
if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.util import Finalize
    from typing import Any

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
        from cirron.workers import is_multiprocessing_child

        self.expected = COMPLETED
        self._earlier = id(_last_unhandled())  # by id: the exception must not live longer because of us
        self._childs_error = _ChildsError(self._expect) if is_multiprocessing_child() else None

    def verdict(self) -> str:
        """How the program ends; to be asked by what runs at its exit."""
        leaving = sys.exc_info()[1]  # multiprocessing exits its children while the exception is on its way
        if leaving is not None:
            return by_exception(leaving)
        error = _last_unhandled()
        if error is None or id(error) == self._earlier or not _ended_the_program(error):
            return self.expected
        return by_exception(error)

    def _expect(self, error: BaseException) -> None:
        self.expected = by_exception(error)

    def close(self) -> None:
        """Watch no longer."""
        if self._childs_error is not None:
            self._childs_error.close()


class _ChildsError:
    """Tells of the exception that ends this child of multiprocessing, at the moment when that prints it.

    From Python 3.13 on, what is registered for the exit of such a child runs when the exception is forgotten.
    """

    def __init__(self, tell: Callable[[BaseException], None]) -> None:
        import traceback

        self._tell = tell
        self._print = traceback.print_exc
        traceback.print_exc = self._tell_and_print

    def _tell_and_print(self, *args: Any, **keywords: Any) -> None:
        from multiprocessing.process import BaseProcess

        error = sys.exc_info()[1]
        if error is not None and sys._getframe(1).f_code is BaseProcess._bootstrap.__code__:  # type: ignore[attr-defined]
            self._tell(error)
        self._print(*args, **keywords)

    def close(self) -> None:
        import traceback

        if traceback.print_exc == self._tell_and_print:
            traceback.print_exc = self._print


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
