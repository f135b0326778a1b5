"""All hooks of transformers together.

What a `TrainerCallback` would hear is heard where the Trainer calls all of them, so that no Trainer's list of
callbacks changes, and those made before a session are recorded as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from transformers.trainer import Trainer
from transformers.trainer_callback import CallbackHandler

from cirron.hooks.guard import Guard
from cirron.hooks.names import EVALUATION, PREDICTION
from cirron.hooks.owned_loop import OwnedLoop
from cirron.hooks.patches import Patches
from cirron.hooks.transformers.training import HEARD, Training

if TYPE_CHECKING:
    from cirron.hooks.target import Target

_PREFIX = "metric_key_prefix"


class Hooks:
    """See `cirron.hooks.registry.Hooks`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._guard = Guard("transformers", target.faults)
        self._patches = Patches()
        self._trainings: WeakKeyDictionary[Any, Training] = WeakKeyDictionary()

    def install(self) -> None:
        """Begin to record."""
        guard, patches = self._guard, self._patches
        for event in HEARD:
            original = vars(CallbackHandler)[event]
            patches.set(CallbackHandler, event, guard.before(self._heard(getattr(Training, event)), original))
        patches.set(Trainer, "train", guard.around(self._train, Trainer.train))
        patches.set(Trainer, "evaluate", guard.around(self._evaluate, Trainer.evaluate))
        patches.set(Trainer, "predict", guard.around(self._predict, Trainer.predict))
        fetch = guard.before(self._fetch, Trainer.get_batch_samples)
        patches.set(Trainer, "get_batch_samples", fetch)

    def remove(self) -> None:
        """Put transformers back as it was; a training that goes on does so unrecorded."""
        self._patches.undo()
        for training in list(self._trainings.values()):
            training.end()

    def _heard(self, hears: Callable[..., None]) -> Callable[..., None]:
        def hear(handler: Any, args: object, state: Any, control: object, *given: Any, **named: Any) -> None:
            hears(self._training_of(handler), handler, state, *given, **named)

        return hear

    def _train(self, trainer: Any, *args: object, **kwargs: object) -> Training:
        return self._training_of(trainer.callback_handler)

    def _fetch(self, trainer: Any, *args: object) -> None:
        self._training_of(trainer.callback_handler).begin_step(trainer.state)

    def _evaluate(
        self, trainer: Any, eval_dataset: object = None, *args: object, **kwargs: Any
    ) -> OwnedLoop | None:
        """None for several datasets, each of which is evaluated by a call of its own."""
        if isinstance(trainer.eval_dataset if eval_dataset is None else eval_dataset, dict):
            return None
        return self._begin(trainer, EVALUATION, kwargs)

    def _predict(self, trainer: Any, *args: object, **kwargs: Any) -> OwnedLoop:
        return self._begin(trainer, PREDICTION, kwargs)

    def _begin(self, trainer: Any, name: str, given: Mapping[str, Any]) -> OwnedLoop:
        """The steps in it are those of its loader."""
        self._training_of(trainer.callback_handler).end_step()
        loop = OwnedLoop(self._target)
        loop.begin_evaluation(name, **{key: given[key] for key in (_PREFIX,) if key in given})
        return loop

    def _training_of(self, handler: Any) -> Training:
        training = self._trainings.get(handler)
        if training is None:
            training = self._trainings[handler] = Training(self._target)
        return training
