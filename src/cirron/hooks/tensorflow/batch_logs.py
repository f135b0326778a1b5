"""What Keras logs at the end of each batch, as marks in its step."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from keras.src.utils import python_utils

from cirron.hooks.tensorflow.runs import mark_all

if TYPE_CHECKING:
    from cirron.hooks.guard import Guard
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target
    from cirron.hooks.tensorflow.runs import Runs


def hook_batch_logs(target: Target, runs: Runs, guard: Guard, patches: Patches) -> None:
    """Mark what Keras makes of the logs of the run at work, where it does so in the thread of the run.

    Most of what it takes to get a number out of a tensor is spent on the first time, and Keras does that for its
    callbacks anyway: so the numbers are taken from there.
    """
    convert, innermost, mark = python_utils.pythonify_logs, runs.innermost, target.mark

    @functools.wraps(convert)
    def pythonify_logs(logs: Any) -> Any:
        numbers = convert(logs)
        if logs is not None:
            run = innermost()
            if run is not None and run.logs is logs:
                run.logs = None
                guard(mark_all, mark, numbers)
        return numbers

    patches.set(python_utils, "pythonify_logs", pythonify_logs)
