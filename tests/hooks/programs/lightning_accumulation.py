"""Two batches for a step of the optimizer, from a stream without a length; fitted on from where it was saved.

cirron.session
  epoch[1]
    data_load first=True
    step[0]
      data_load
      forward
      backward
    step[1]
      data_load
      forward
      backward
      optimizer_step
        forward
        backward
    step[2]
      forward
      backward
      optimizer_step
        forward
        backward
  epoch.end[2]
    data_load first=True
"""

import lightning.pytorch as pl
import torch
from common import Net, fingerprint, numbers
from common_lightning import trainer

import cirron as ci


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        yield from numbers(3)


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def training_step(self, batch, index):
        return torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.LBFGS(self.parameters(), max_iter=2)


pl.seed_everything(1, verbose=False)
module = Module()
loader = torch.utils.data.DataLoader(Stream(), batch_size=4)
first = trainer(pl.Trainer, max_epochs=1, accumulate_grad_batches=2)
first.fit(module, loader)
first.save_checkpoint("first.ckpt")
ci.profile()
second = trainer(pl.Trainer, max_epochs=2, accumulate_grad_batches=2)
second.fit(module, loader, ckpt_path="first.ckpt")
second.fit(module, loader)
print(fingerprint(module), second.global_step)
