"""What a module logs and no logger ever gets: there is none, the run is short, or the value is for callbacks only.

cirron.session
  evaluation stage='sanity_check'
    step[0]
      data_load first=True
      forward
  epoch[0] | loss=… summary | both_step=… summary | once=… summary | seen_step=… summary | seen_epoch=… summary | shown=… summary | both_epoch=… summary
    step[0] | loss=… | both_step=… | once=…
      data_load first=True
      forward
      backward
    step[1] | loss=… | both_step=…
      data_load
      forward
      backward
      optimizer_step
    evaluation stage='validate' | seen_epoch=… summary | shown=… summary
      step[0] | seen_step=…
        data_load first=True
        forward
  epoch[1] | loss=… summary | both_step=… summary | seen_step=… summary | seen_epoch=… summary | shown=… summary | both_epoch=… summary
    step[0] | loss=… | both_step=…
      data_load first=True
      forward
      backward
    step[1] | loss=… | both_step=…
      data_load
      forward
      backward
      optimizer_step
    evaluation stage='validate' | seen_epoch=… summary | shown=… summary
      step[0] | seen_step=…
        data_load first=True
        forward
"""

import lightning.pytorch as pl
import torch
from common import Net, fingerprint, numbers
from common_lightning import trainer
from torch.nn.functional import mse_loss

import cirron as ci


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def training_step(self, batch, index):
        loss = mse_loss(self.net(batch[0]), batch[1])
        self.log("loss", loss)
        self.log("both", loss, on_step=True, on_epoch=True, logger=False)
        if self.global_step == 0 and index == 0:
            self.log("once", 1.0)
        return loss

    def validation_step(self, batch, index):
        loss = mse_loss(self.net(batch[0]), batch[1])
        self.log("seen", loss, on_step=True, on_epoch=True)
        self.log("shown", loss, prog_bar=True, logger=False)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


ci.profile()
pl.seed_everything(1, verbose=False)
module = Module()
loaders = [torch.utils.data.DataLoader(numbers(n), batch_size=4) for n in (2, 1)]
fitting = trainer(pl.Trainer, max_epochs=2, accumulate_grad_batches=2, log_every_n_steps=50)
fitting.fit(module, *loaders)
print(fingerprint(module), sorted(fitting.callback_metrics.items()))
