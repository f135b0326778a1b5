"""Lightning where torch alone is hooked: it keeps the iterators of its loaders, and the epoch begins beside the check.

cirron.session
  evaluation
    step[0]
      data_load first=True
      forward
  epoch[0]
    step[0]
      data_load first=True
      optimizer_step
        forward
        backward
      evaluation
        step[0]
          data_load first=True
          forward
  epoch[1]
    step[0]
      data_load first=True
      optimizer_step
        forward
        backward
      evaluation
        step[0]
          data_load first=True
          forward
"""

import lightning.pytorch as pl
import torch
from common import fingerprint, net, numbers
from common_lightning import trainer
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader

import cirron as ci

ci.profile(frameworks=["torch"])


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = net()

    def training_step(self, batch, number):
        return mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch, number):
        print(self.net(batch[0]).sum().item())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


model = Model()
loaders = (DataLoader(numbers(1), batch_size=4) for _ in range(2))
trainer(pl.Trainer, max_epochs=2).fit(model, *loaders)
print(fingerprint(model))
