"""`forward`: the outermost call of a module that has parameters, at no cost for the modules in it.

Patching `torch.nn.Module.__call__` would burden every nested module. So it is patched for a few calls only, to learn
of which classes the outermost modules are; then these classes get a `__call__` of their own. The few calls come again
whenever modules may be new: with a loader, with an optimizer, and at times when a loop begins.
"""

from __future__ import annotations

import functools
import sys
import time
import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch.compiler import is_dynamo_compiling

from cirron import signals
from cirron._recorder import Recorded
from cirron.hooks.names import BACKWARD, CANONICAL, FORWARD
from cirron.hooks.patches import WeakPatches
from cirron.hooks.torch.countdown import Countdown
from cirron.hooks.torch.looks import LOOK_EVERY_NS
from cirron.hooks.torch.precision import is_any_autocast_on, with_precision
from cirron.hooks.torch.recorded import unless_compiling
from cirron.hooks.torch.uncompiled import passed_over, unseen
from cirron.hooks.torch.witness import Work

if TYPE_CHECKING:
    from cirron._recorder.idle import AnyScope
    from cirron.hooks.target import Target
    from cirron.hooks.torch.here import Here
    from cirron.hooks.torch.trained import Trained
    from cirron.hooks.torch.witness import Witness

SOON_NS = 100_000_000  # after which to look again; twice as long each time, up to the pause of `looks`
NO_FORWARD_IN = (FORWARD, BACKWARD)  # in a backward pass checkpoints call modules again

_Module = torch.nn.Module
# Not -1 in a checkpoint, maybe in a thread of a GPU's backward.
current_graph_task = torch._C._current_graph_task_id


class Discovery:
    """Finds the classes of outermost modules, and has their calls recorded.

    Attributes:
        is_looking: whether it wants to meet the outermost modules that are called.
        is_over: whether the hooks are gone; functions that somebody has kept do nothing then.
        original: what `torch.nn.Module.__call__` is without us.
    """

    def __init__(self, target: Target, here: Here, witness: Witness, trained: Trained) -> None:
        self.is_looking = False
        self.is_over = False
        self.original = _Module.__dict__["__call__"]
        self._target = target
        self._here = here
        self._witness = witness
        self._with_precision = with_precision(target)
        self._trained = trained
        self._patches = WeakPatches("__call__")
        self._looks: weakref.WeakSet[Any] = weakref.WeakSet()  # what `torch.nn.Module` has got as `__call__`
        self._outermost_calls = Countdown()
        self._looked_ns = 0
        self._pause_ns = SOON_NS

    def begin(self) -> None:
        """Begin to record."""
        self.look()

    def end(self) -> None:
        """Stop recording, and leave all classes as they were."""
        self.is_over = True
        self._stop_looking()
        self._patches.undo()

    def look(self) -> None:
        """Something is new: learn of which classes the outermost modules are, for some calls."""
        self._pause_ns = SOON_NS
        self._look()

    def look_now_and_then(self) -> None:
        """As `look`, though nothing is known to be new, unless somebody has looked a moment ago."""
        if time.monotonic_ns() - self._looked_ns > self._pause_ns:
            self._pause_ns = min(2 * self._pause_ns, LOOK_EVERY_NS)
            self._look()

    def _look(self) -> None:
        if self.is_over:
            return
        self._outermost_calls.begin()
        self._trained.look()
        if not self.is_looking:
            self.is_looking = True
            self._witness.wanted_by(self)
            self._looked_ns = time.monotonic_ns()
            self._replace_call()

    def _replace_call(self) -> None:
        """By a function of its own each time: what somebody has put on top of an earlier one calls that still."""
        current = _Module.__dict__["__call__"]
        if current not in self._looks:  # as it is where somebody has put it back after its time
            look = _call_while_looking(self, current)
            self._looks.add(look)
            _Module.__call__ = look  # type: ignore[method-assign]

    def _restore_call(self) -> None:
        """Unless somebody has put theirs on top."""
        current = _Module.__dict__["__call__"]
        if current in self._looks:
            _Module.__call__ = current.__wrapped__  # type: ignore[method-assign]
            self._restore_call()

    def scope_while_looking(self, module: Any, args: Any) -> AnyScope | None:
        """The scope for a call of a module; None for one within another, and for one without parameters.

        None as well when somebody has put our patch back in place after its time.
        """
        if not self.is_looking:
            self._stop_looking()
            return None
        if current_graph_task() != -1 or (_is_of_keras(type(module)) and _is_for_shapes(args)):
            return None
        scope = self._target.scope_unless(FORWARD, NO_FORWARD_IN, CANONICAL)
        if scope is not None and is_any_autocast_on():
            scope = self._with_precision(FORWARD)
        if scope is None or type(module) in self._patches:
            return None  # the class has its own
        self._witnessed(module)
        return scope if type(module) in self._patches else None

    def recorded(self, call: Any) -> Recorded:
        """Of a class to be hooked, its own `__call__` in a scope; or that which it inherits, for the class itself."""
        in_scope = Recorded(
            call,
            self._target.find_recorder,
            FORWARD,
            NO_FORWARD_IN,
            CANONICAL,
            current_graph_task,
            is_any_autocast_on,
            self._with_precision,
        )
        self._witness.add(in_scope, self._witnessed)
        return in_scope

    def _witnessed(self, module: Any) -> None:
        """Somebody wants to know of modules that are called."""
        try:
            is_training = torch.is_grad_enabled() and (module.training or _is_of_keras(type(module)))
            if not is_training or _has_parameters(module):  # the mode of a loss says nothing
                self._here.work(Work.TRAINING_CALL if is_training else Work.CALL)
            if self.is_looking and self._target.innermost(CANONICAL) not in NO_FORWARD_IN:
                self._meet(module, is_training)
        except Exception as error:  # of a module of the user's, which may be of any kind
            if signals.has_raised(error):
                raise
            self._target.faults.note(
                "hooks.torch", error, f"a call of {type(module).__name__} is not looked at"
            )

    def _meet(self, module: Any, is_training: bool) -> None:
        """An outermost module is called, while looking."""
        kind = type(module)
        if _has_parameters(module):
            self._trained.meet(module)
            if kind not in self._patches:
                self._hook(kind)
                self._outermost_calls.begin()
            if is_training and not _is_of_keras(kind):
                self._here.trained = weakref.ref(module)
        if not self._outermost_calls.count():
            self._stop_looking()

    def _stop_looking(self) -> None:
        self.is_looking = False
        self._witness.enough_for(self)
        self._restore_call()

    def _hook(self, kind: type) -> None:
        try:
            self._patches.set(kind, _call_of(kind, self))
        except (TypeError, AttributeError) as error:  # a class that takes no attributes
            self._target.faults.note("hooks.torch", error, f"no forward of {kind.__name__} is recorded")


def _has_parameters(module: Any) -> bool:
    """Not so a loss, or the activation that somebody applies to a result."""
    return next(iter(module.parameters()), None) is not None


def _is_of_keras(kind: type[Any]) -> bool:
    """Of such a module the mode says nothing: Keras passes it from call to call."""
    keras = sys.modules.get("keras")
    return keras is not None and issubclass(kind, getattr(keras, "Layer", ()))


def _is_for_shapes(args: tuple[Any, ...]) -> bool:
    """Whether the first argument is a placeholder, as Keras has them when it connects layers, or on the meta device."""
    if not args:
        return False
    return type(args[0]).__name__ == "KerasTensor" or getattr(args[0], "is_meta", False) is True


def _call_while_looking(discovery: Discovery, original: Any) -> Any:
    """What `torch.nn.Module` gets as `__call__` for a while."""
    scope_while_looking = unseen(discovery.scope_while_looking)

    @passed_over
    @functools.wraps(original)
    def call_module(module: Any, *args: Any, **kwargs: Any) -> Any:
        if is_dynamo_compiling() or (scope := scope_while_looking(module, args)) is None:
            return original(module, *args, **kwargs)
        with scope:
            return original(module, *args, **kwargs)

    return call_module


def _call_of(kind: type[Any], discovery: Discovery) -> Any:
    """What a class gets as `__call__`, in place of its own or of what it inherits."""
    own = vars(kind).get("__call__")
    call = _inherited_call(kind, discovery) if own is None else unless_compiling(own, discovery.recorded(own))
    return _unless_for_shapes(kind, own, call) if _is_of_keras(kind) else call


def _unless_for_shapes(kind: type[Any], own: Any, call: Any) -> Any:
    """Of a layer of Keras, which is called with placeholders as well, and that is no `forward`."""

    @passed_over
    @functools.wraps(call)
    def call_layer(layer: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not _is_for_shapes(args):
            return call(layer, *args, **kwargs)
        if own is not None:
            return own(layer, *args, **kwargs)
        return super(kind, layer).__call__(*args, **kwargs)

    return call_layer


def _inherited_call(kind: type[Any], discovery: Discovery) -> Any:
    """Asks the next class at each call, whose `__call__` may be another by then: tracers replace it for a while."""
    in_scope = discovery.recorded(kind)

    @passed_over
    @functools.wraps(discovery.original)
    def call_module(module: Any, /, *args: Any, **kwargs: Any) -> Any:
        if is_dynamo_compiling() or in_scope is None:
            return super(kind, module).__call__(*args, **kwargs)
        return in_scope(module, *args, **kwargs)

    return call_module
