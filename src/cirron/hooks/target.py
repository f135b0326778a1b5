"""Where the hooks of a framework record."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cirron._recorder import Recorder
    from cirron._recorder.idle import AnyScope
    from cirron._recorder.native import Meter
    from cirron.faults import Faults


class Target(NamedTuple):
    """What hooks need of the session that they record into.

    Attributes:
        find_recorder: gives what records now, if anything does; None where that is the default recorder.
        scope: opens scopes, as `cirron.scope` does.
        scope_unless: the same, where no such scope is open; see `native.pyi`.
        innermost: tells which of some names the innermost open scope has; see there too.
        here: the id of the innermost open scope, and the time; None where nothing is recorded.
        mark: as `cirron.mark`.
        watch: as `cirron.watch`, for models that hooks come by; an optimizer stands for what no model of them has.
        keep_gradients: looks at gradients, of the parameters with these ids or of all, which may be cleared before the
            epoch ends; to be called where an optimizer uses them the last time in an epoch.
        divide_gradients: tells by what gradients are to be divided whenever they are looked at: a function that gives
            numbers by the ids of parameters.
        end_epoch: called with an epoch that hooks have opened while it is still open, and has gone well.
        set_meter: has the scopes of training measured on a device; see `Recorder.set_meter`.
        faults: takes what goes wrong in a hook.
    """

    find_recorder: Callable[[], Recorder | None] | None
    scope: Callable[..., AnyScope]
    scope_unless: Callable[..., AnyScope | None]
    innermost: Callable[[tuple[str, ...]], str | None]
    here: Callable[[], tuple[str, int] | None]
    mark: Callable[..., None]
    watch: Callable[[object], None]
    keep_gradients: Callable[..., None]
    divide_gradients: Callable[[Callable[[], dict[int, float]]], None]
    end_epoch: Callable[[AnyScope], None]
    set_meter: Callable[[Meter | None], None]
    faults: Faults
