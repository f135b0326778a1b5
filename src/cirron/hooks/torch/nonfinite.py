"""The first loss that is not finite: marked when it goes into its backward pass."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from torch import Tensor

from cirron import signals
from cirron._recorder import WhileFinite
from cirron.snapshots.modes import hidden_from_modes
from cirron.snapshots.summary import NONFINITE

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks.target import Target


def marking_nonfinite(target: Target, backward: Callable[..., Any]) -> WhileFinite:
    """`backward`, with a mark of the first loss that is not finite, and a look at the gradients that come of it.

    It looks at each loss in host memory until then, if it is a single number. One on another device is left alone, for
    to look at it would mean to wait for it.
    """

    def marked(losses: Any, *args: Any, **kwargs: Any) -> Any:
        target.mark(NONFINITE, "loss", value=str(_first_nonfinite(losses)))
        try:
            return backward(losses, *args, **kwargs)
        finally:
            target.keep_gradients()

    exchange = getattr(Tensor, "__dlpack_c_exchange_api__", None)  # of torch 2.10 and later
    return WhileFinite(backward, marked, _is_finite, Tensor, exchange)


def _is_finite(losses: Any) -> bool:
    return _first_nonfinite(losses) is None


def _first_nonfinite(losses: Any) -> float | None:
    """None as well for what is no loss; it raises nothing of its own, whatever it gets: one, or several."""
    with hidden_from_modes():
        several = losses if type(losses) in (list, tuple) else (losses,)
        values = (_value(each) for each in several)
        return next((value for value in values if value is not None and not isfinite(value)), None)


def _value(loss: Any) -> float | None:
    """None for what is no single number in host memory."""
    if type(loss) is not Tensor or not loss.is_cpu or loss.numel() != 1:
        return None
    try:
        return float(loss.item())
    except Exception as error:  # it has no value yet, as below a functional transform
        if signals.has_raised(error):
            raise
        return None
