"""`optimizer_step`: the update of a Keras optimizer, where it runs in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from cirron.hooks.names import OPTIMIZER_STEP

if TYPE_CHECKING:
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target


def hook_optimizers(target: Target, patches: Patches) -> None:
    """Have updates recorded on the torch backend; TensorFlow compiles them."""
    if keras.backend.backend() != "torch":
        return
    from cirron.hooks.torch.recorded import recorded

    owner = next(each for each in keras.optimizers.Optimizer.__mro__ if "apply" in vars(each))
    patches.set(owner, "apply", recorded(target, OPTIMIZER_STEP, vars(owner)["apply"]))
