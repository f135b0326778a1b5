"""Two datasets for evaluation, one before the training too; and a callback that evaluates by itself within a step.

cirron.session | train_runtime=… summary | train_samples_per_second=… summary | train_steps_per_second=… summary | total_flos=… summary | train_loss=… summary
  evaluation metric_key_prefix='eval_easy' | eval_easy_loss=… summary | eval_easy_runtime=… summary | eval_easy_samples_per_second=… summary | eval_easy_steps_per_second=… summary
    step[0]
      data_load first=True
      forward
  evaluation metric_key_prefix='eval_hard' | eval_hard_loss=… summary | eval_hard_runtime=… summary | eval_hard_samples_per_second=… summary | eval_hard_steps_per_second=… summary
    step[0]
      data_load first=True
      forward
  epoch[0] | own_loss=… summary | eval_easy_loss=… summary | eval_hard_loss=… summary
    step[0] | step=1
      data_load first=True
      forward
      backward
      optimizer_step
    step[1] | step=2
      data_load
      forward
      backward
      optimizer_step
    evaluation metric_key_prefix='own' | own_loss=… summary | own_runtime=… summary | own_samples_per_second=… summary | own_steps_per_second=… summary
      step[0]
        data_load first=True
        forward
    evaluation metric_key_prefix='eval_easy' | eval_easy_loss=… summary | eval_easy_runtime=… summary | eval_easy_samples_per_second=… summary | eval_easy_steps_per_second=… summary
      step[0]
        data_load first=True
        forward
    evaluation metric_key_prefix='eval_hard' | eval_hard_loss=… summary | eval_hard_runtime=… summary | eval_hard_samples_per_second=… summary | eval_hard_steps_per_second=… summary
      step[0]
        data_load first=True
        forward
"""

from common import fingerprint
from common_hf import sentences, trainer
from transformers import TrainerCallback

import cirron as ci


class Evaluates(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        ci.mark("step", state.global_step)
        if state.global_step == 2:
            print(training.evaluate(sentences(2), metric_key_prefix="own")["own_loss"])


ci.profile()
training = trainer(
    evaluate={"easy": sentences(1), "hard": sentences(2)},
    num_train_epochs=1,
    eval_strategy="epoch",
    eval_on_start=True,
    logging_strategy="no",
)
training.add_callback(Evaluates())
training.train()
print(fingerprint(training.model), [len(log) for log in training.state.log_history])
