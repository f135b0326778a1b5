"""Manual optimization with two optimizers, in the package of the older name; a validation in the middle of the epoch.

cirron.session
  epoch[0] | last=… summary | flat=… summary | val_loss=… summary
    step[0] | last=… | flat=…
      data_load first=True
      forward
      backward
      optimizer_step
      forward
      backward
      optimizer_step
    evaluation stage='validate' | val_loss=… summary
      step[0]
        data_load first=True
        forward
    step[1] | last=… | flat=…
      data_load
      forward
      backward
      optimizer_step
      forward
      backward
      optimizer_step
    evaluation stage='validate' | val_loss=… summary
      step[0]
        data_load first=True
        forward
"""

import pytorch_lightning as pl
import torch
from common import Net, fingerprint, numbers
from common_lightning import trainer

import cirron as ci


class Rivals(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = Net(), Net()

    def training_step(self, batch, index):
        for net, optimizer in zip((self.generator, self.discriminator), self.optimizers(), strict=True):
            loss = net(batch[0]).square().mean()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        self.log_dict({"last": loss, "flat": 1})

    def validation_step(self, batch, index):
        self.log("val_loss", self.generator(batch[0]).mean())

    def configure_optimizers(self):
        return [torch.optim.SGD(net.parameters(), lr=0.1) for net in (self.generator, self.discriminator)]


ci.profile()
pl.seed_everything(1, verbose=False)
rivals = Rivals()
training, held_out = (torch.utils.data.DataLoader(numbers(2), batch_size=4) for _ in range(2))
fitting = trainer(pl.Trainer, max_epochs=1, val_check_interval=1, num_sanity_val_steps=0, limit_val_batches=1)
fitting.fit(rivals, training, held_out)
print(fingerprint(rivals), fitting.callback_metrics)
