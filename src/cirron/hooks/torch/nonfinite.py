"""The first loss that is not finite: marked when it goes into its backward pass."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import torch

from cirron.snapshots.summary import NONFINITE

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks.target import Target


def checked(target: Target, backward: Callable[..., Any]) -> Callable[..., Any]:
    """`backward`, with a look at each loss in host memory until one is not finite; gradients are looked at then.

    A loss on another device is left alone, for to look at it would mean to wait for it.
    """
    tensor_class, is_finite = torch.Tensor, math.isfinite
    is_over = False

    @functools.wraps(backward)
    def call(tensors: Any = None, *args: Any, **kwargs: Any) -> Any:
        nonlocal is_over
        if is_over or type(tensors) is not tensor_class or not tensors.is_cpu or tensors.dim() > 0:
            return backward(tensors, *args, **kwargs)
        try:
            value = float(tensors.item())
        except Exception:  # noqa: BLE001 - it has no value yet, as in a compiler or below a functional transform
            value = 0.0
        if is_finite(value):
            return backward(tensors, *args, **kwargs)
        is_over = True
        target.mark(NONFINITE, "loss", value=str(value))
        try:
            return backward(tensors, *args, **kwargs)
        finally:
            target.keep_gradients()

    return call
