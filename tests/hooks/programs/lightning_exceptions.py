"""Errors in training, in validation and in the data, each caught; and a fit that has the rest of its epoch skipped.

cirron.session
  epoch[0] error='ValueError'
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
    step[1] error='ValueError'
      data_load
  epoch[0] error='ArithmeticError'
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
    evaluation stage='validate' error='ArithmeticError'
      step[0] error='ArithmeticError'
        data_load first=True
  epoch[0] error='KeyError'
    step[0] error='KeyError'
      data_load first=True error='KeyError'
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
    step.end[1]
      data_load
"""

import lightning.pytorch as pl
import torch
from common import Net, fingerprint, numbers
from common_lightning import trainer

import cirron as ci


class Module(pl.LightningModule):
    def __init__(self, fails):
        super().__init__()
        self.net, self.fails = Net(), fails

    def on_train_batch_start(self, batch, index):
        return -1 if index == 1 and self.fails == "no more" else None

    def training_step(self, batch, index):
        if index == 1 and self.fails == "training":
            raise ValueError
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, index):
        if self.fails == "validation":
            raise ArithmeticError

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Broken(torch.utils.data.Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        raise KeyError(index)


ci.profile()
pl.seed_everything(1, verbose=False)
loader = torch.utils.data.DataLoader(numbers(2), batch_size=4)
for fails in ("training", "validation", "data", "no more"):
    module = Module(fails)
    fitting = trainer(pl.Trainer, max_epochs=1, num_sanity_val_steps=0)
    try:
        fitting.fit(module, torch.utils.data.DataLoader(Broken()) if fails == "data" else loader, loader)
    except (ValueError, ArithmeticError, KeyError) as error:
        print("caught", repr(error))
    print(fingerprint(module))
