"""Where the hooks of a framework record."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cirron._recorder.idle import AnyScope
    from cirron._recorder.native import Meter
    from cirron.faults import Faults


class Target(NamedTuple):
    """What hooks need of the session that they record into.

    Attributes:
        scope: opens scopes, as `cirron.scope` does.
        scope_unless: the same, where no such scope is open; see `native.pyi`.
        innermost: tells which of some names the innermost open scope has; see there too.
        mark: as `cirron.mark`.
        watch: as `cirron.watch`, for models that hooks come by.
        end_epoch: called while an epoch that hooks have opened is still open, and has gone well.
        set_meter: has the scopes of training measured on a device; see `Recorder.set_meter`.
        faults: takes what goes wrong in a hook.
    """

    scope: Callable[..., AnyScope]
    scope_unless: Callable[..., AnyScope | None]
    innermost: Callable[[tuple[str, ...]], str | None]
    mark: Callable[..., None]
    watch: Callable[[object], None]
    end_epoch: Callable[[], None]
    set_meter: Callable[[Meter | None], None]
    faults: Faults
