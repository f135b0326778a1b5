"""Data that nobody knows the length of, gone through more than once; an evaluation every second step.

cirron.session | train_runtime=… summary | train_samples_per_second=… summary | train_steps_per_second=… summary | total_flos=… summary | train_loss=… summary
  epoch[0] | eval_loss=… summary
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
    evaluation | eval_loss=… summary | eval_runtime=… summary | eval_samples_per_second=… summary | eval_steps_per_second=… summary
      step[0]
        data_load first=True
        forward
      step[1]
        data_load
        forward
      step[2]
        data_load
        forward
    step[2]
      data_load
      forward
      backward
      optimizer_step
  epoch[1] | eval_loss=… summary
    step[3]
      data_load first=True
      forward
      backward
      optimizer_step
    evaluation | eval_loss=… summary | eval_runtime=… summary | eval_samples_per_second=… summary | eval_steps_per_second=… summary
      step[0]
        data_load first=True
        forward
      step[1]
        data_load
        forward
      step[2]
        data_load
        forward
"""

import torch
from common import fingerprint
from common_hf import sentences, trainer

import cirron as ci


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        yield from sentences(6)


ci.profile()
training = trainer(
    train=Stream(), evaluate=Stream(), max_steps=4, eval_strategy="steps", eval_steps=2, logging_strategy="no"
)
training.train()
print(fingerprint(training.model), [log.get("eval_loss") for log in training.state.log_history])
