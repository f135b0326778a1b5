"""By what gradients are multiplied at the moment, where a `GradScaler` scales the loss.

A scaler multiplies the loss; `unscale_`, or `step` on its own, divides the gradients of an optimizer again, in place.
Fused optimizers divide them in their own step, but for one that they leave out, since a gradient is not finite.
"""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any

from torch.amp.grad_scaler import GradScaler

from cirron.hooks.torch.trained import parameter_ids

if TYPE_CHECKING:
    from collections.abc import Callable
    from weakref import WeakKeyDictionary

    from torch import Tensor

    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target


class _Unscaled:
    """An optimizer as its scaler left it.

    Attributes:
        round: how often the scaler had scaled by then; what comes later is scaled again.
        by: the scale that the gradients have when a fused optimizer gets them; None where they were divided.
        found: once that optimizer is done, what tells whether it has left its step out: counts of its scaler's.
    """

    def __init__(self) -> None:
        self.round = 0
        self.by: Tensor | None = None
        self.found: list[Tensor] | None = None

    def divisor(self) -> float:
        """By what the gradients are multiplied still; waits for the device."""
        if self.by is None or (self.found is not None and not any(float(each) for each in self.found)):
            return 1.0
        return float(self.by)


class _Scaler:
    """One scaler: how often it has scaled something, and the optimizers it is for."""

    def __init__(self) -> None:
        self.rounds = 0
        self.optimizers: WeakKeyDictionary[Any, _Unscaled] = weakref.WeakKeyDictionary()

    def unscaled(self, optimizer: Any, by: Tensor | None) -> None:
        state = self.optimizers.get(optimizer)
        if state is None:
            state = self.optimizers[optimizer] = _Unscaled()
        if (
            by is None or state.round != self.rounds
        ):  # after `unscale_` the step of a fused one finds nothing to do
            state.round = self.rounds
            state.by = None if by is None else by.detach().clone()
            state.found = None


class ScalerHooks:
    """Follows each enabled scaler, by three calls a step that cost it less than a microsecond together."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._scalers: WeakKeyDictionary[Any, _Scaler] = weakref.WeakKeyDictionary()

    def install(self, patches: Patches) -> None:
        """Begin to follow."""
        for name, before in (("scale", self._scale), ("unscale_", self._unscale), ("step", self._begin_step)):
            after = self._end_step if name == "step" else None
            patches.set(GradScaler, name, self._following(before, GradScaler.__dict__[name], after))

    def divisors(self) -> dict[int, float]:
        """By what gradients are multiplied now, by the ids of their parameters; waits for the device."""
        found: dict[int, float] = {}
        for scaler, state in list(self._scalers.items()):
            for optimizer, unscaled in list(state.optimizers.items()):
                is_scaled = state.rounds > unscaled.round
                divisor = float(scaler.get_scale()) if is_scaled else unscaled.divisor()
                found |= dict.fromkeys(parameter_ids(optimizer), divisor)
        return found

    def _following(
        self, before: Callable[..., None], original: Callable[..., Any], after: Callable[..., None] | None
    ) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(scaler: Any, *args: Any, **kwargs: Any) -> Any:
            self._tell(before, scaler, args)
            result = original(scaler, *args, **kwargs)
            if after is not None:
                self._tell(after, scaler, args)
            return result

        return call

    def _tell(self, hears: Callable[..., None], scaler: Any, args: tuple[Any, ...]) -> None:
        try:
            if scaler.is_enabled():
                hears(scaler, *args)
        except Exception as error:  # noqa: BLE001 - a scaler of the user's making
            self._target.faults.note("hooks.torch", error, "gradients may be shown as the scaler has them")

    def _scale(self, scaler: Any, *_: Any) -> None:
        state = self._scalers.get(scaler)
        if state is None:
            state = self._scalers[scaler] = _Scaler()
            self._target.divide_gradients(self.divisors)
        state.rounds += 1

    def _unscale(self, scaler: Any, optimizer: Any = None, *_: Any) -> None:
        self._follow(scaler, optimizer, None)

    def _begin_step(self, scaler: Any, optimizer: Any = None, *_: Any) -> None:
        if _divides(optimizer):
            self._follow(scaler, optimizer, scaler._get_scale_async())

    def _end_step(self, scaler: Any, optimizer: Any = None, *_: Any) -> None:
        state = self._scalers.get(scaler)
        unscaled = state.optimizers.get(optimizer) if state is not None and _divides(optimizer) else None
        if unscaled is not None:
            unscaled.found = list(
                scaler._per_optimizer_states[id(optimizer)]["found_inf_per_device"].values()
            )

    def _follow(self, scaler: Any, optimizer: Any, by: Tensor | None) -> None:
        state = self._scalers.get(scaler)
        if state is not None and optimizer is not None:
            state.unscaled(optimizer, by)


def _divides(optimizer: Any) -> bool:
    """Whether it divides gradients on its own."""
    is_fused: bool = getattr(optimizer, "_step_supports_amp_scaling", False)
    return is_fused
