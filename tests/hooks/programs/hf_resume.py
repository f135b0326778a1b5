"""A training goes on from a checkpoint in its second epoch; the checkpoint knows of no hooks.

cirron.session | train_runtime=… summary | train_samples_per_second=… summary | train_steps_per_second=… summary | total_flos=… summary | train_loss=… summary
  epoch[1]
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
  epoch[2]
    step[6]
      data_load first=True
      forward
      backward
      optimizer_step
    step[7]
      data_load
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
    "train": 6,
    "logging_strategy": "no",
    "save_strategy": "steps",
    "save_steps": 4,
    "learning_rate": 0.5,
}
first = trainer(max_steps=4, **arguments)
first.train()
checkpoint = Path(first.args.output_dir) / "checkpoint-4"
ci.profile()
second = trainer(max_steps=8, **arguments)
second.train(resume_from_checkpoint=str(checkpoint))
saved = json.loads((Path(second.args.output_dir) / "checkpoint-8/trainer_state.json").read_text())
print(fingerprint(second.model), saved["stateful_callbacks"], saved["epoch"])
