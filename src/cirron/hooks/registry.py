"""Which framework's hooks are at work, and for whom.

A hook is of the process: it is installed once, however many sessions ask for it, and records into the first of them
until that ends. A framework that is not imported yet is hooked when it is.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Collection
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple, Protocol, cast

from cirron.hooks.garbage import GarbagePauses
from cirron.hooks.import_hook import ImportHook
from cirron.hooks.target import Target


class _Hookable(NamedTuple):
    """A module of a framework that can be hooked.

    Attributes:
        framework: as the user calls it; several modules may belong to one.
        module: its full name; the hooks come when it is imported.
        hooks: our module with the `Hooks` for it.
    """

    framework: str
    module: str
    hooks: str


# In the order in which frameworks claim epochs and steps.
_HOOKABLES = (
    _Hookable("transformers", "transformers.trainer", "cirron.hooks.transformers"),
    _Hookable("transformers", "transformers.generation.utils", "cirron.serving.generation"),
    _Hookable("accelerate", "accelerate.data_loader", "cirron.hooks.accelerate"),
    _Hookable("lightning", "lightning.pytorch.trainer.trainer", "cirron.hooks.lightning.lightning"),
    _Hookable("lightning", "pytorch_lightning.trainer.trainer", "cirron.hooks.lightning.pytorch_lightning"),
    _Hookable("tensorflow", "keras", "cirron.hooks.tensorflow"),
    _Hookable("torch", "torch", "cirron.hooks.torch"),
    _Hookable("torch", "torch._dynamo", "cirron.hooks.torch.compiling"),
)
KNOWN = tuple(dict.fromkeys(each.framework for each in _HOOKABLES))


class Hooks(Protocol):
    """The hooks of one module of a framework."""

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
        waiting: what it would have hooked.
        installed: the hooks that record for it.
        failed: why a framework has no hooks, by its name.
    """

    def __init__(self, owner: object, target: Target, frameworks: Collection[str]) -> None:
        self.owner = owner
        self.target = target
        self.waiting = {each for each in _HOOKABLES if each.framework in frameworks}
        self.installed: dict[_Hookable, Hooks] = {}
        self.failed: dict[str, str] = {}


_claims: list[_Claim] = []
_imports = ImportHook()
_pauses = GarbagePauses()  # which hold up whatever is hooked
_lock = threading.RLock()


def _after_fork_in_child() -> None:
    """The lock may be held by a thread that is not here; and a collection is no reason to begin a session."""
    global _lock
    _lock = threading.RLock()
    _pauses.record_into(None)


os.register_at_fork(after_in_child=_after_fork_in_child)


def claim(owner: object, target: Target, frameworks: Collection[str] | None) -> None:
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
        else:
            _record_pauses()


def release(owner: object) -> None:
    """Take the hooks of `owner` away; where another session has asked for the same, they turn to that."""
    with _lock:
        mine = _claim_of(owner)
        if mine is None:
            return
        _claims.remove(mine)
        for each in _HOOKABLES:
            _imports.forget(each.module)
            if each in mine.installed:
                _remove(each, mine)
        _settle()


def state(owner: object) -> dict[str, Any]:
    """For `health()`: the frameworks whose hooks record for `owner`, and why others could not be hooked."""
    mine = _claim_of(owner)
    if mine is None:
        return {}
    installed = {each.framework for each in mine.installed}
    return {
        "frameworks_installed": [name for name in KNOWN if name in installed and name not in mine.failed],
        "frameworks_failed": dict(mine.failed),
    }


def _claim_of(owner: object) -> _Claim | None:
    return next((each for each in tuple(_claims) if each.owner is owner), None)


def _settle(just_imported: _Hookable | None = None) -> None:
    """Give each module to the first session that wants it."""
    for each in _HOOKABLES:
        first = next((mine for mine in _claims if each in mine.waiting or each in mine.installed), None)
        if first is None or each in first.installed:
            continue
        if each == just_imported or _is_imported(each.module):
            _install(each, first)
        else:
            _imports.wait_for(each.module, partial(_settle_on_import, each))
    _record_pauses()


def _record_pauses() -> None:
    hooked = next((mine for mine in _claims if mine.installed), None)
    _pauses.record_into(None if hooked is None else hooked.target)


def _settle_on_import(hookable: _Hookable) -> None:
    with _lock:
        _settle(just_imported=hookable)


def _is_imported(name: str) -> bool:
    """Not while it is being imported."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    return module is not None and not getattr(spec, "_initializing", False)


def _install(hookable: _Hookable, mine: _Claim) -> None:
    name = hookable.framework
    mine.waiting.discard(hookable)
    hooks: Hooks | None = None
    try:
        hooks = cast("Hooks", import_module(hookable.hooks).Hooks(mine.target))
        hooks.install()
        mine.installed[hookable] = hooks
    except Exception as error:  # noqa: BLE001 - of a framework in a version that nobody here has seen
        mine.failed[name] = f"{type(error).__name__}: {error}"
        mine.target.faults.note(
            f"hooks.{name}", error, f"{name} is not hooked: use ci.epochs, ci.batches and ci.scope there"
        )
        if hooks is not None:
            hooks.remove()


def _remove(hookable: _Hookable, mine: _Claim) -> None:
    name = hookable.framework
    try:
        mine.installed.pop(hookable).remove()
    except Exception as error:  # noqa: BLE001 - shutdown goes on
        mine.target.faults.note(f"hooks.{name}", error, f"the hooks of {name} could not be taken away")
