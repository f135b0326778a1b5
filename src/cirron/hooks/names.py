"""The scopes of the canonical tree, as the hooks of every framework name them."""

from __future__ import annotations

EPOCH = "epoch"
EVALUATION = "evaluation"
PREDICTION = "prediction"
PEEK = "peek"  # one batch and nothing done with it, as when a program wants to know its shape
STEP = "step"
BATCH = "batch"  # what `ci.batches` opens in the place of a step
DATA_LOAD = "data_load"
FORWARD = "forward"
BACKWARD = "backward"
OPTIMIZER_STEP = "optimizer_step"

# In the order in which a program meets them most often: the innermost is looked for by comparing.
CANONICAL = (FORWARD, STEP, BACKWARD, OPTIMIZER_STEP, DATA_LOAD, EPOCH, BATCH, EVALUATION, PREDICTION)

UNITS = (EPOCH, EVALUATION, PREDICTION, STEP, BATCH)  # what a loop over batches may be a part of
WITHOUT_GRADIENTS = (EVALUATION, PREDICTION)
NO_STEP_IN = (STEP, BATCH, DATA_LOAD, FORWARD, BACKWARD, OPTIMIZER_STEP)
NO_LOAD_IN = (DATA_LOAD,)

STEPS = (STEP, NO_STEP_IN, DATA_LOAD, NO_LOAD_IN, CANONICAL)  # what `Steps` in the core takes
