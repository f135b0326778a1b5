"""A session ends in the midst of a training, and another one begins in its second epoch.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
cirron.session | train_runtime=… summary | train_samples_per_second=… summary | train_steps_per_second=… summary | total_flos=… summary | train_loss=… summary
  epoch[1]
    step[3]
      forward
      backward
      optimizer_step
  epoch[2]
    step[4]
      data_load first=True
      forward
      backward
      optimizer_step
    step[5]
      data_load
      forward
      backward
      optimizer_step
"""

from common import fingerprint
from common_hf import trainer
from transformers import TrainerCallback

import cirron as ci


class Sessions(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 1:
            ci.shutdown()
        if state.global_step == 3:
            ci.profile()


ci.profile()
training = trainer(num_train_epochs=3, logging_strategy="no", callbacks=[Sessions()])
training.train()
print(fingerprint(training.model))
