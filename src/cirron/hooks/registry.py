"""Which framework's hooks are at work, and for whom.

A hook is of the process: it is installed once, however many sessions ask for it, and records into the first of them
until that ends. A framework that is not imported yet is hooked when it is.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from functools import partial
from importlib import import_module
from typing import Any, Protocol, cast

from cirron.hooks.import_hook import ImportHook
from cirron.hooks.target import Target

# By framework, the module with its `Hooks`; in the order in which they claim epochs and steps.
_MODULES = {"torch": "cirron.hooks.torch"}
KNOWN = tuple(_MODULES)


class Hooks(Protocol):
    """The hooks of one framework."""

    def __init__(self, target: Target) -> None: ...
    def install(self) -> None:
        """Begin to record. What it raises is reported, and `remove` called."""

    def remove(self) -> None:
        """Put everything back as it was, also after half an `install`."""


class _Claim:
    """One session's wish for hooks.

    Attributes:
        owner: who asks; the same one asks once.
        target: where its hooks record.
        waiting: frameworks that it would have hooked.
        installed: the hooks that record for it, by framework.
        failed: why a framework has no hooks, by framework.
    """

    def __init__(self, owner: object, target: Target, frameworks: Iterable[str]) -> None:
        self.owner = owner
        self.target = target
        self.waiting = set(frameworks)
        self.installed: dict[str, Hooks] = {}
        self.failed: dict[str, str] = {}


_claims: list[_Claim] = []
_imports = ImportHook()
_lock = threading.RLock()


def _fresh_lock() -> None:
    """In a forked child: the lock may be held by a thread that is not here."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_fresh_lock)


def claim(owner: object, target: Target, frameworks: Iterable[str] | None) -> None:
    """Have `frameworks` recorded for `owner`, those that are imported at once and others when they are.

    Who has a claim already keeps it as it is: a forked child does, from its parent.

    Args:
        owner: to be named again in `release`.
        target: where to record.
        frameworks: names in `KNOWN`; None for all of them.
    """
    with _lock:
        if _claim_of(owner) is None:
            _claims.append(_Claim(owner, target, KNOWN if frameworks is None else frameworks))
            _settle()


def release(owner: object) -> None:
    """Take the hooks of `owner` away; where another session has asked for the same, they turn to that."""
    with _lock:
        mine = _claim_of(owner)
        if mine is None:
            return
        _claims.remove(mine)
        for name in KNOWN:
            _imports.forget(name)
            if name in mine.installed:
                _remove(name, mine)
        _settle()


def state(owner: object) -> dict[str, Any]:
    """For `health()`: the frameworks whose hooks record for `owner`, and why others could not be hooked."""
    mine = _claim_of(owner)
    if mine is None:
        return {}
    return {
        "frameworks_installed": [name for name in KNOWN if name in mine.installed],
        "frameworks_failed": dict(mine.failed),
    }


def _claim_of(owner: object) -> _Claim | None:
    return next((each for each in tuple(_claims) if each.owner is owner), None)


def _settle(just_imported: str | None = None) -> None:
    """Give each framework to the first session that wants it."""
    for name in KNOWN:
        first = next((each for each in _claims if name in each.waiting or name in each.installed), None)
        if first is None or name in first.installed:
            continue
        if name == just_imported or _is_imported(name):
            _install(name, first)
        else:
            _imports.wait_for(name, partial(_settle_on_import, name))


def _settle_on_import(name: str) -> None:
    with _lock:
        _settle(just_imported=name)


def _is_imported(name: str) -> bool:
    """Not while it is being imported."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    return module is not None and not getattr(spec, "_initializing", False)


def _install(name: str, mine: _Claim) -> None:
    mine.waiting.discard(name)
    hooks: Hooks | None = None
    try:
        hooks = cast("Hooks", import_module(_MODULES[name]).Hooks(mine.target))
        hooks.install()
        mine.installed[name] = hooks
    except Exception as error:  # noqa: BLE001 - of a framework in a version that nobody here has seen
        mine.failed[name] = f"{type(error).__name__}: {error}"
        mine.target.faults.note(
            f"hooks.{name}", error, f"{name} is not hooked: use ci.epochs, ci.batches and ci.scope there"
        )
        if hooks is not None:
            hooks.remove()


def _remove(name: str, mine: _Claim) -> None:
    try:
        mine.installed.pop(name).remove()
    except Exception as error:  # noqa: BLE001 - shutdown goes on
        mine.target.faults.note(f"hooks.{name}", error, f"the hooks of {name} could not be taken away")
