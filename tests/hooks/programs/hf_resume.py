"""Two batches a step; a training goes on in the midst of its second epoch. The checkpoint knows of no hooks.

cirron.session | train_runtime=… summary | train_samples_per_second=… summary | train_steps_per_second=… summary | total_flos=… summary | train_loss=… summary
  epoch[1] | loss=… summary | learning_rate=… summary
    step[4]
      data_load first=True
      data_load
      forward
      backward
      forward
      backward
      optimizer_step
    step[5]
      data_load
      forward
      backward
      optimizer_step
  epoch[2] | loss=… summary | learning_rate=… summary
    step[6]
      data_load first=True
      data_load
      forward
      backward
      forward
      backward
      optimizer_step
    step[7]
      data_load
      data_load
      forward
      backward
      forward
      backward
      optimizer_step
"""

import json
from pathlib import Path

from common import fingerprint
from common_hf import trainer

import cirron as ci

arguments = {
    "train": 10,
    "gradient_accumulation_steps": 2,
    "learning_rate": 0.5,
    "logging_strategy": "epoch",
    "save_strategy": "steps",
    "save_steps": 4,
}
first, second = (trainer(max_steps=steps, **arguments) for steps in (4, 8))
first.train()
ci.profile()
second.train(resume_from_checkpoint=f"{first.args.output_dir}/checkpoint-4")
saved = json.loads((Path(second.args.output_dir) / "checkpoint-8/trainer_state.json").read_text())
print(fingerprint(second.model), list(saved["stateful_callbacks"]), saved["epoch"])
print([log.get("loss") for log in second.state.log_history])
