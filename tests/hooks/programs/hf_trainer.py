"""Two epochs, each with an evaluation; `evaluate` and `predict`; the user's callback hears what it always hears.

cirron.session | train_runtime=… summary | train_samples_per_second=… summary | train_steps_per_second=… summary | total_flos=… summary | train_loss=… summary | heard=4
  epoch[0] | loss=… summary | learning_rate=… summary | eval_loss=… summary
    step[0] | loss=… | grad_norm=… | learning_rate=… | heard=1
      data_load first=True
      forward
      backward
      optimizer_step
    step[1] | loss=… | grad_norm=… | learning_rate=… | heard=2
      data_load
      forward
      backward
      optimizer_step
    evaluation | eval_loss=… summary | eval_runtime=… summary | eval_samples_per_second=… summary | eval_steps_per_second=… summary | heard=2
      step[0]
        data_load first=True
        forward
  epoch[1] | loss=… summary | learning_rate=… summary | eval_loss=… summary
    step[2] | loss=… | grad_norm=… | learning_rate=… | heard=3
      data_load first=True
      forward
      backward
      optimizer_step
    step[3] | loss=… | grad_norm=… | learning_rate=… | heard=4
      data_load
      forward
      backward
      optimizer_step
    evaluation | eval_loss=… summary | eval_runtime=… summary | eval_samples_per_second=… summary | eval_steps_per_second=… summary | heard=4
      step[0]
        data_load first=True
        forward
  evaluation | eval_loss=… summary | eval_runtime=… summary | eval_samples_per_second=… summary | eval_steps_per_second=… summary | heard=4
    step[0]
      data_load first=True
      forward
  prediction
    step[0]
      data_load first=True
      forward
    step[1]
      data_load
      forward
"""

from common import fingerprint
from common_hf import sentences, trainer
from transformers import TrainerCallback

import cirron as ci


class Heard(TrainerCallback):
    """Keeps the names of what it hears."""

    def __init__(self):
        self.logs = []

    def on_log(self, args, state, control, logs, **kwargs):
        ci.mark("heard", state.global_step)
        self.logs.append(sorted(logs))


ci.profile()
heard = Heard()
training = trainer(
    num_train_epochs=2, learning_rate=0.5, eval_strategy="epoch", logging_steps=1, callbacks=[heard]
)
training.train()
metrics = training.evaluate()
predictions = training.predict(sentences(3))
print(fingerprint(training.model), metrics["eval_loss"], predictions.predictions.tolist())
print([log.get("loss") for log in training.state.log_history], heard.logs)
print(training.callback_handler.callback_list)
