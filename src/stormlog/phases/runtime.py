"""Phases while a program runs: entered, left, and each boundary as the payload of a telemetry event.

Phases nest strictly: the one entered last is left first, for each session, rank and thread by itself. Inside asyncio
a task stands for the thread, so tasks may take turns as they like; what a task enters lies below the phase in which
the task was created.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping
from threading import get_ident
from types import TracebackType
from typing import Any

from msgspec import Struct

from stormlog.phases._stacks import Key, OpenPhase, Owners, around, inherited, remember

PHASE_ENTER = "phase_enter"
PHASE_EXIT = "phase_exit"
PHASE_SCOPE = "phase_scope"  # the key of a boundary's metadata
PATH_SEPARATOR = " / "

__all__ = ["PhaseBoundary", "PhaseHandle", "PhaseProtocolError", "PhaseRecorder", "PhaseToken"]


class PhaseProtocolError(RuntimeError):
    """A phase was closed out of order, from a thread or task that did not enter it, or is not open at all.

    Whatever was open before is still open; the message says which of these it was, and what to do.
    """


class PhaseBoundary(Struct, frozen=True):
    """One end of a phase, as it goes into a telemetry event.

    Args:
        event_type: `phase_enter` or `phase_exit`.
        context: a line for people, with the path of the phase.
        metadata: under `phase_scope` the same for programs: action, name, path, depth (1 for an outermost phase),
            the ids of the phase and of the one around it, the thread, the sequence number, and the attributes.
        scope_id: the same for both boundaries of a phase, and for no other phase of the session.
        path: the names from the outermost phase down to this one.
    """

    event_type: str
    context: str
    metadata: dict[str, Any]
    scope_id: str
    path: tuple[str, ...]


class PhaseToken(Struct, frozen=True):
    """What `PhaseRecorder.enter` gives, for `PhaseRecorder.exit` to take."""

    scope_id: str
    session_id: str
    rank: int
    thread_id: int
    name: str


class PhaseHandle:
    """A phase that is open, and the way to close it; in a `with` it closes at the end of the block.

    Args:
        scope_id: the phase's id.
        name: its name.
        path: the names from the outermost phase down to this one.
        close_callback: leaves the phase; called once, unless it raises.

    Example:
        with tracker.enter_phase("forward") as phase:
            print(phase.phase_path)
    """

    __slots__ = ("_close_callback", "_closed", "name", "path", "scope_id")

    def __init__(
        self, *, scope_id: str, name: str, path: tuple[str, ...], close_callback: Callable[[], Any]
    ) -> None:
        self.scope_id = scope_id
        self.name = name
        self.path = path
        self._close_callback = close_callback
        self._closed = False

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<PhaseHandle {self.phase_path!r} {self.scope_id} {state}>"

    @property
    def phase_path(self) -> str:
        """The path as one line, such as `train / forward`."""
        return PATH_SEPARATOR.join(self.path)

    @property
    def closed(self) -> bool:
        """Whether the phase was closed through this handle."""
        return self._closed

    def close(self) -> Any:
        """Leave the phase.

        Returns:
            What the callback gives: from a recorder or a tracker the boundary; None when it was closed before.

        Raises:
            PhaseProtocolError: it is not this phase's turn; it stays open, and may be closed later.
        """
        if self._closed:
            return None
        result = self._close_callback()
        self._closed = True
        return result

    def __enter__(self) -> PhaseHandle:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except Exception as error:
            if exc_type is None:
                raise
            # The exception that is leaving the block matters more than ours.
            logging.getLogger("stormlog").warning("phase %r stays open: %s", self.phase_path, error)


class PhaseRecorder:
    """The open phases of a tracker, and the payloads of their boundaries.

    Threads never wait for each other here: each has its own stacks.

    Example:
        recorder = PhaseRecorder()
        token, entered = recorder.enter(session_id="s", rank=0, name="forward")
        left = recorder.exit(token)
    """

    def __init__(self) -> None:
        self._sequence = itertools.count(1)
        self._first_number = 1
        self._owners = Owners()

    def reset(self) -> None:
        """Drop all open phases, of all threads and tasks, for a new session.

        Closing one of them from now on raises a `PhaseProtocolError` that says so. The sequence goes on.
        """
        self._owners.era.is_over = True
        self._first_number = next(self._sequence)
        self._owners = Owners()

    def enter(
        self, *, session_id: str, rank: int, name: str, attrs: Mapping[str, Any] | None = None
    ) -> tuple[PhaseToken, PhaseBoundary]:
        """Enter a phase below the innermost one that is open here.

        Args:
            session_id: the tracker session it belongs to.
            rank: the rank of the process.
            name: what the phase is called; spaces around it are dropped.
            attrs: whatever else is to be known of it.

        Returns:
            The token with which to leave it, and its boundary.

        Raises:
            ValueError: `name` is empty, or no text.
        """
        if not isinstance(name, str) or not (name := name.strip()):
            raise ValueError(f"name={name!r}: a phase needs a name of at least one character")
        key = (session_id, rank)
        owners = self._owners
        stacks = owners.here()
        outer = around()
        stack = stacks.get(key)
        parent = stack[-1] if stack else inherited(outer, key, owners.era)
        path = (*parent.path, name) if parent is not None else (name,)
        sequence = next(self._sequence)
        scope_id = f"{session_id}:{sequence}"
        facts: dict[str, Any] = {
            "action": None,
            "name": name,
            "path": None,
            "depth": len(path),
            "scope_id": scope_id,
            "parent_scope_id": parent.scope_id if parent is not None else None,
            "thread_id": (thread_id := get_ident()),
            "thread_name": owners.of_thread.thread.name,
            "sequence": None,
        }
        if attrs:
            facts["attributes"] = dict(attrs)
        phase = OpenPhase(scope_id, path, facts, key, owners.era, outer)
        boundary = _boundary(phase, facts.copy(), PHASE_ENTER, "enter", sequence)
        stacks.setdefault(key, []).append(phase)
        remember(phase)
        return PhaseToken(scope_id, session_id, rank, thread_id, name), boundary

    def enter_phase(
        self, *, session_id: str, rank: int, name: str, metadata: Mapping[str, Any] | None = None
    ) -> PhaseBoundary:
        """Enter a phase that `exit_phase` will leave, by its `scope_id`; otherwise as `enter`."""
        return self.enter(session_id=session_id, rank=rank, name=name, attrs=metadata)[1]

    def exit(self, token: PhaseToken) -> PhaseBoundary:
        """Leave the phase that a token stands for.

        Raises:
            PhaseProtocolError: it is not the innermost one here; nothing has changed.
        """
        key = (token.session_id, token.rank)
        stacks = self._owners.here()
        stack = stacks.get(key)
        if not stack or stack[-1].scope_id != token.scope_id or token.thread_id != get_ident():
            raise PhaseProtocolError(self._refusal(stack or [], key, token))
        phase = stack.pop()
        phase.was_left = True
        if not stack:
            del stacks[key]
        return _boundary(phase, phase.facts, PHASE_EXIT, "exit", next(self._sequence))

    def entered_since(self, token: PhaseToken) -> tuple[str, ...]:
        """The ids of the phases that were entered here after one and are open yet, the innermost first.

        None are where the phase itself is not open here.
        """
        stack = self._owners.here().get((token.session_id, token.rank), [])
        ids = [phase.scope_id for phase in stack]
        return tuple(reversed(ids[ids.index(token.scope_id) + 1 :])) if token.scope_id in ids else ()

    def exit_phase(self, *, session_id: str, rank: int, scope_id: str, thread_id: int) -> PhaseBoundary:
        """Leave a phase by its id.

        Args:
            session_id: as given when it was entered.
            rank: likewise.
            scope_id: its id, from the boundary of its entry.
            thread_id: the thread that entered it, which must be the one that calls.

        Raises:
            PhaseProtocolError: it is not the innermost one here; nothing has changed.
        """
        return self.exit(PhaseToken(scope_id, session_id, rank, thread_id, name=""))

    def _refusal(self, stack: list[OpenPhase], key: Key, token: PhaseToken) -> str:
        """Why a phase cannot be left here and now."""
        scope_id = token.scope_id
        if token.thread_id != get_ident():
            return (
                f"phase {scope_id} was entered in thread {token.thread_id} and cannot be left from thread "
                f"{get_ident()}: close it in the thread that entered it"
            )
        if any(phase.scope_id == scope_id for phase in stack):
            inner = stack[-1]
            return (
                f"phase {scope_id} is not the innermost one: {PATH_SEPARATOR.join(inner.path)!r} "
                f"({inner.scope_id}) was entered later and is still open; close that first"
            )
        if self._is_of_another_task(key, scope_id):
            return (
                f"phase {scope_id} was entered by another asyncio task, or outside of this one: "
                "close it where it was entered"
            )
        if self._is_of_earlier_era(key, scope_id):
            return (
                f"phase {scope_id} was entered before reset() began a new session and is open no more: "
                "there is nothing to close"
            )
        return (
            f"phase {scope_id} is not open here for session {key[0]!r} and rank {key[1]}: "
            "it was left before, or never entered"
        )

    def _is_of_another_task(self, key: Key, scope_id: str) -> bool:
        stacks = (stacks.get(key, ()) for stacks in self._owners.within_reach())
        return any(phase.scope_id == scope_id for stack in stacks for phase in stack)

    def _is_of_earlier_era(self, key: Key, scope_id: str) -> bool:
        sequence = scope_id.removeprefix(f"{key[0]}:")
        return sequence.isdecimal() and int(sequence) < self._first_number


def _boundary(
    phase: OpenPhase, scope: dict[str, Any], event_type: str, action: str, sequence: int
) -> PhaseBoundary:
    scope["action"] = action
    scope["path"] = [*phase.path]
    scope["sequence"] = sequence
    context = f"phase {action}: {PATH_SEPARATOR.join(phase.path)}"
    return PhaseBoundary(event_type, context, {PHASE_SCOPE: scope}, phase.scope_id, phase.path)
