"""`torch.compile`: each compilation of a frame or of its backward pass, as a mark of the scope that it held up."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from torch._dynamo import utils
from torch._dynamo.eval_frame import skip_code

from cirron.hooks.patches import Patches
from cirron.hooks.torch.uncompiled import passed_over

if TYPE_CHECKING:
    from torch._dynamo.utils import CompilationMetrics

    from cirron.hooks.target import Target


_LISTENED_TO = "log_compilation_event"  # which is there for whoever wants to keep the metrics


class Hooks:
    """See `cirron.hooks.registry.Hooks`. It listens where torch hands out the metrics of each compilation."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._patches = Patches()

    def install(self) -> None:
        """Begin to record."""
        passed_over.by(skip_code)
        original = getattr(utils, _LISTENED_TO, None)
        if original is None:
            gone = AttributeError(f"torch._dynamo.utils has no {_LISTENED_TO}")
            self._target.faults.note("hooks.torch", gone, "compilations are not marked")
        else:
            self._patches.set(utils, _LISTENED_TO, self._listening(original))

    def remove(self) -> None:
        """Put torch back as it was."""
        self._patches.undo()

    def _listening(self, original: Any) -> Any:
        @functools.wraps(original)
        def log_compilation_event(metrics: CompilationMetrics) -> Any:
            try:
                self._mark(metrics)
            except Exception as error:  # noqa: BLE001 - metrics of a version that nobody here has seen
                self._target.faults.note("hooks.torch", error, "a compilation is not marked")
            return original(metrics)

        return log_compilation_event

    def _mark(self, metrics: CompilationMetrics) -> None:
        facts = {
            "compile_id": metrics.compile_id,
            "duration_ns": _duration_ns(metrics.start_time_us, metrics.end_time_us),
            "reason": metrics.recompile_reason,
            "error": metrics.fail_type,
        }
        known = {key: value for key, value in facts.items() if value is not None}
        self._target.mark("torch.compile", _what(metrics), **known)


def _what(metrics: CompilationMetrics) -> str:
    """The name of the function; its backward pass is compiled on its own, and later."""
    return metrics.co_name or ("backward" if metrics.is_forward is False else "runtime")


def _duration_ns(start_us: int | None, end_us: int | None) -> int | None:
    return None if start_us is None or end_us is None else (end_us - start_us) * 1000
