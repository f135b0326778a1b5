"""`optimizer_step`: the step of an optimizer, whichever its class and whenever it was made.

When the first optimizer of a class is made, torch replaces the `step` of that class by a function that calls the
original, which it holds in a closure. The scope goes there: a scheduler that wrapped `step` earlier comes by too.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from cirron.hooks.torch.recorded import unless_compiling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CellType

    from cirron.hooks.patches import Patches
    from cirron.hooks.torch.discovery import Discovery
    from cirron.hooks.torch.trained import Trained


class OptimizerHooks:
    """Opens `optimizer_step`; an optimizer that steps another one has one scope for both."""

    def __init__(self, discovery: Discovery, trained: Trained) -> None:
        self._discovery = discovery
        self._trained = trained

    def install(self, patches: Patches) -> None:
        """Begin to record steps, of optimizers made before and after."""
        original = Optimizer.__init__

        @functools.wraps(original)
        def init_optimizer(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            original(optimizer, *args, **kwargs)
            self._hook(type(optimizer), patches)
            self._discovery.look()

        for kind in _subclasses(Optimizer):
            self._hook(kind, patches)
        patches.set(Optimizer, "__init__", init_optimizer)

    def _hook(self, kind: type, patches: Patches) -> None:
        cell = _cell_of_step(kind)
        if cell is not None and cell not in patches:
            step = cell.cell_contents
            patches.set(cell, "cell_contents", unless_compiling(step, self._trained.in_scope(step)))


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)


def _cell_of_step(kind: type) -> CellType | None:
    """Where torch keeps the `step` that a class came with; None as long as there is no optimizer of that class."""
    step: Any = getattr(kind, "step", None)
    code = getattr(step, "__code__", None)
    if not getattr(step, "hooked", False) or code is None or "func" not in code.co_freevars:
        return None
    cell: CellType = step.__closure__[code.co_freevars.index("func")]
    return cell
