"""The first loss that is not finite: marked when it goes into its backward pass."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from torch import Tensor

from cirron.snapshots.summary import NONFINITE

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks.target import Target


class FirstNonfinite:
    """Looks at each loss in host memory until one is not finite.

    A loss on another device is left alone, for to look at it would mean to wait for it.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._is_over = False

    def is_it(self, loss: Any) -> bool:
        """Whether this is the one; it raises nothing, whatever it gets."""
        if self._is_over or type(loss) is not Tensor or not loss.is_cpu or loss.dim() > 0:
            return False
        try:
            return not isfinite(loss.item())
        except Exception:  # noqa: BLE001 - it has no value yet, as below a functional transform
            return False

    def marked(self, backward: Callable[..., Any]) -> Callable[..., Any]:
        """`backward` for that one: with a mark, and a look at the gradients."""

        def call(loss: Any, *args: Any, **kwargs: Any) -> Any:
            self._is_over = True
            self._target.mark(NONFINITE, "loss", value=str(loss.item()))
            try:
                return backward(loss, *args, **kwargs)
            finally:
                self._target.keep_gradients()

        return call
