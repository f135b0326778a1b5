"""The scopes of the canonical tree, as the hooks of every framework name them."""

from __future__ import annotations

EPOCH = "epoch"
EVALUATION = "evaluation"
STEP = "step"
BATCH = "batch"  # what `ci.batches` opens in the place of a step
DATA_LOAD = "data_load"
FORWARD = "forward"
BACKWARD = "backward"
OPTIMIZER_STEP = "optimizer_step"

CANONICAL = (FORWARD, STEP, BACKWARD, OPTIMIZER_STEP, DATA_LOAD, EPOCH, BATCH, EVALUATION)
