"""Two batches a step and one in the last; values are logged when the epoch ends. The Trainer is older than the session.

cirron.session | train_runtime=… summary | train_samples_per_second=… summary | train_steps_per_second=… summary | total_flos=… summary | train_loss=… summary
  epoch[0] | loss=… summary | grad_norm=… summary | learning_rate=… summary
    step[0]
      data_load first=True
      data_load
      forward
      backward
      forward
      backward
      optimizer_step
    step[1]
      data_load
      forward
      backward
      optimizer_step
  epoch[1] | loss=… summary | grad_norm=… summary | learning_rate=… summary
    step[2]
      data_load first=True
      data_load
      forward
      backward
      forward
      backward
      optimizer_step
    step[3]
      data_load
      forward
      backward
      optimizer_step
"""

from common import fingerprint
from common_hf import trainer

import cirron as ci

training = trainer(train=6, num_train_epochs=2, gradient_accumulation_steps=2, logging_strategy="epoch")
ci.profile()
training.train()
print(fingerprint(training.model), [log.get("loss") for log in training.state.log_history])
