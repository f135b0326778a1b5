"""The first loss that is not finite: marked when it goes into its backward pass."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from torch import Tensor

from cirron._recorder import WhileFinite
from cirron.snapshots.summary import NONFINITE

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks.target import Target


def marking_nonfinite(target: Target, backward: Callable[..., Any]) -> WhileFinite:
    """`backward`, with a mark of the first loss that is not finite, and a look at the gradients that come of it.

    It looks at each loss in host memory until then. A loss on another device is left alone, for to look at it would
    mean to wait for it.
    """

    def marked(loss: Any, *args: Any, **kwargs: Any) -> Any:
        target.mark(NONFINITE, "loss", value=str(loss.item()))
        try:
            return backward(loss, *args, **kwargs)
        finally:
            target.keep_gradients()

    exchange = getattr(Tensor, "__dlpack_c_exchange_api__", None)  # of torch 2.10 and later
    return WhileFinite(backward, marked, _is_finite, Tensor, exchange)


def _is_finite(loss: Any) -> bool:
    """True as well for what is no loss; it raises nothing, whatever it gets."""
    if type(loss) is not Tensor or not loss.is_cpu or loss.dim() > 0:
        return True
    try:
        return isfinite(loss.item())
    except Exception:  # noqa: BLE001 - it has no value yet, as below a functional transform
        return True
