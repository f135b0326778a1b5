"""An error in a step and one in an evaluation, each caught; a batch that is too large for the memory, and a stop.

cirron.session | train_runtime=… summary | train_samples_per_second=… summary | train_steps_per_second=… summary | total_flos=… summary | train_loss=… summary | train_runtime=… summary | train_samples_per_second=… summary | train_steps_per_second=… summary | total_flos=… summary | train_loss=… summary
  epoch[0] error='ValueError'
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
    evaluation | eval_loss=… summary | eval_runtime=… summary | eval_samples_per_second=… summary | eval_steps_per_second=… summary
      step[0]
        data_load first=True
        forward
    step[1] error='ValueError'
      data_load
  epoch[0] error='KeyboardInterrupt'
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
    evaluation error='KeyboardInterrupt'
      step[0] error='KeyboardInterrupt'
        data_load first=True
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
    step[1]
      data_load
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
    step[1]
      data_load
      forward
      backward
      optimizer_step
    step[2]
      data_load
      forward
      backward
      optimizer_step
    step[3]
      data_load
      forward
      backward
      optimizer_step
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
    step[1]
      data_load
      forward
      backward
      optimizer_step
    step[2]
      data_load
      forward
      backward
      optimizer_step
"""

from common import fingerprint
from common_hf import sentences, trainer
from transformers import Trainer, TrainerCallback

import cirron as ci


class Failing(Trainer):
    """Raises what it is told to when it gets so far."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fails = {}

    def compute_loss(self, model, inputs, *args, **kwargs):
        where = "step" if model.training else "evaluation"
        if where in self.fails and self.state.global_step == 1:
            raise self.fails.pop(where)
        return super().compute_loss(model, inputs, *args, **kwargs)


class Stop(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = state.global_step == 3


ci.profile()
quiet = {"logging_strategy": "no", "num_train_epochs": 1}
for fails in ({"step": ValueError("a bad batch")}, {"evaluation": KeyboardInterrupt()}):
    failing = trainer(Failing, eval_strategy="steps", eval_steps=1, **quiet)
    failing.fails = fails
    try:
        failing.train()
    except (ValueError, KeyboardInterrupt) as error:
        print("caught", repr(error), failing.state.global_step)
large = trainer(Failing, auto_find_batch_size=True, **quiet)
large.fails = {"step": RuntimeError("CUDA out of memory.")}
large.train()
stopped = trainer(train=sentences(8), callbacks=[Stop()], **quiet)
stopped.train()
print(fingerprint(large.model, stopped.model), large.state.global_step)
