"""All hooks of PyTorch Lightning together.

They are in the loops that call the callbacks, so that no Trainer's list of callbacks changes, nor what it saves.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from cirron.hooks.data_load import DataLoad
from cirron.hooks.guard import Guard
from cirron.hooks.lightning.fit import Fit, Step
from cirron.hooks.lightning.optimizer_step import OptimizerStepHooks
from cirron.hooks.lightning.results import StepValues, epoch_values
from cirron.hooks.logged import Logged
from cirron.hooks.names import EVALUATION, PREDICTION
from cirron.hooks.owned_loop import OwnedLoop
from cirron.hooks.patches import Patches

if TYPE_CHECKING:
    from cirron.hooks.target import Target


class LightningHooks:
    """The hooks for one of the two packages.

    Args:
        target: where to record.
        package: `lightning.pytorch` or `pytorch_lightning`.
    """

    def __init__(self, target: Target, package: str) -> None:
        self._target = target
        self._package = package
        self._guard = Guard("lightning", target.faults)
        self._patches = Patches()
        self._fits: WeakKeyDictionary[Any, Fit] = WeakKeyDictionary()  # by their loops, as here too
        self._evaluations: WeakKeyDictionary[Any, OwnedLoop] = WeakKeyDictionary()
        self._step_values: WeakKeyDictionary[Any, StepValues] = WeakKeyDictionary()  # by their connectors

    def install(self) -> None:
        """Begin to record."""
        self._hook_fit()
        self._hook_evaluation(
            "evaluation_loop", "_EvaluationLoop", "_evaluation_step", self._begin_evaluation
        )
        self._hook_evaluation("prediction_loop", "_PredictionLoop", "_predict_step", self._begin_prediction)
        fetcher = self._module("loops.fetchers")._DataFetcher
        self._patches.set(fetcher, "__next__", self._guard.around(self._begin_load, fetcher.__next__))
        self._hook_logged(
            self._module("trainer.connectors.logger_connector.logger_connector")._LoggerConnector
        )
        OptimizerStepHooks(self._target, self._guard).install(
            self._patches,
            self._module("core.optimizer").LightningOptimizer,
            self._module("loops.optimization.automatic").Closure,
        )

    def remove(self) -> None:
        """Put Lightning back as it was; a loop that goes on does so unrecorded."""
        self._patches.undo()
        for evaluation in list(self._evaluations.values()):
            evaluation.end_step()
            evaluation.end()
        for fit in list(self._fits.values()):
            fit.leave()

    def _module(self, name: str) -> Any:
        return import_module(f"{self._package}.{name}")

    def _hook_fit(self) -> None:
        guard, patches = self._guard, self._patches
        loop = self._module("loops.fit_loop")._FitLoop
        steps = self._module("loops.training_epoch_loop")._TrainingEpochLoop
        patches.set(loop, "run", guard.around(self._begin_fit, loop.run))
        patches.set(loop, "setup_data", guard.around(self._begin_setup, loop.setup_data))
        patches.set(loop, "on_advance_start", guard.before(self._begin_epoch, loop.on_advance_start))
        patches.set(loop, "on_advance_end", guard.after(self._end_epoch, loop.on_advance_end))
        patches.set(steps, "advance", guard.around(self._begin_step, steps.advance))

    def _hook_evaluation(self, module: str, kind: str, step: str, begin: Callable[[Any], OwnedLoop]) -> None:
        guard, patches = self._guard, self._patches
        loop = getattr(self._module(f"loops.{module}"), kind)
        patches.set(loop, "run", guard.around(begin, loop.run))
        patches.set(loop, "on_run_start", guard.after(self._next_step, loop.on_run_start))
        patches.set(loop, step, guard.after(self._next_step, getattr(loop, step)))
        patches.set(loop, "on_run_end", guard.before(self._end_steps, loop.on_run_end))

    def _hook_logged(self, connector: Any) -> None:
        """After each batch, and where the values of an epoch go to the loggers: whether these get them or not."""
        guard, patches = self._guard, self._patches
        patches.set(connector, "on_batch_end", guard.after(self._log_step, connector.on_batch_end))
        for name in ("update_train_epoch_metrics", "log_eval_end_metrics"):
            patches.set(connector, name, guard.before(self._log_epoch, getattr(connector, name)))

    # ---- training

    def _begin_fit(self, loop: Any) -> Fit:
        fit = self._fits[loop] = Fit(self._target)
        fit.begin(loop)
        return fit

    def _begin_setup(self, loop: Any) -> Fit | None:
        return self._fit_of(loop).begin_setup(loop)

    def _begin_epoch(self, loop: Any) -> None:
        self._fit_of(loop).begin_epoch(loop)

    def _end_epoch(self, loop: Any) -> None:
        self._fit_of(loop).end_epoch()

    def _begin_step(self, loop: Any, *args: object) -> Step:
        fit_loop = loop.trainer.fit_loop
        return self._fit_of(fit_loop).begin_step(fit_loop)

    def _fit_of(self, loop: Any) -> Fit:
        """A new one where the session has begun in the midst of a fit."""
        if loop not in self._fits:
            self._fits[loop] = Fit(self._target)
        return self._fits[loop]

    # ---- evaluation and prediction

    def _begin_evaluation(self, loop: Any) -> OwnedLoop:
        return self._begin(loop, EVALUATION, stage=loop.trainer.state.stage.value)

    def _begin_prediction(self, loop: Any) -> OwnedLoop:
        return self._begin(loop, PREDICTION)

    def _begin(self, loop: Any, name: str, **attrs: Any) -> OwnedLoop:
        evaluation = self._evaluations[loop] = OwnedLoop(self._target)
        evaluation.begin_evaluation(name, **attrs)
        return evaluation

    def _next_step(self, loop: Any, *args: object) -> None:
        if loop in self._evaluations:
            self._evaluations[loop].next_step(loop.batch_progress.current.ready)

    def _end_steps(self, loop: Any) -> None:
        if loop in self._evaluations:
            self._evaluations[loop].end_steps()

    # ---- both

    def _begin_load(self, fetcher: Any) -> DataLoad | None:
        """Where Lightning does not know how much data there is, it fetches one batch before the first step."""
        return DataLoad.begun(self._target, is_first=fetcher.fetched == 0)

    def _log_step(self, connector: Any) -> None:
        results = connector.trainer._results
        if results and not connector.trainer.sanity_checking:
            values = self._step_values.setdefault(connector, StepValues()).new_in(results)
            self._logged_of(connector).log(values)

    def _log_epoch(self, connector: Any, *args: object) -> None:
        if not connector.trainer.sanity_checking:
            self._logged_of(connector).log(epoch_values(connector.trainer._results))

    def _logged_of(self, connector: Any) -> Logged:
        """What is logged outside of a fit is no part of an epoch."""
        fit = self._fits.get(connector.trainer.fit_loop)
        return Logged(self._target) if fit is None else fit.logged
