"""`optimizer_step`: the update of a Keras optimizer, where it runs in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from cirron._recorder import Recorded
from cirron.hooks.names import CANONICAL, OPTIMIZER_STEP
from cirron.hooks.tensorflow.owner import owner_of

if TYPE_CHECKING:
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target


def hook_optimizers(target: Target, patches: Patches) -> None:
    """Have updates recorded on the torch backend; TensorFlow compiles them."""
    if keras.backend.backend() != "torch":
        return
    from cirron.hooks.torch.recorded import unless_compiling

    owner = owner_of("apply", keras.optimizers.Optimizer)
    apply = vars(owner)["apply"]
    in_scope = Recorded(apply, target.find_recorder, OPTIMIZER_STEP, (OPTIMIZER_STEP,), CANONICAL)
    patches.set(owner, "apply", unless_compiling(apply, in_scope))
