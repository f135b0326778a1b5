"""`fit` with validation and a sanity check, `validate`, `test` and `predict`; the list of callbacks stays as it is.

cirron.session
  evaluation stage='sanity_check'
    step[0]
      data_load first=True
      forward
  epoch[0] | loss_step=… summary | val_loss=… summary | loss_epoch=… summary
    step[0] | loss_step=…
      data_load first=True
      forward
      backward
      optimizer_step
    step[1] | loss_step=…
      data_load
      forward
      backward
      optimizer_step
    evaluation stage='validate' | val_loss=… summary
      step[0]
        data_load first=True
        forward
  epoch[1] | loss_step=… summary | val_loss=… summary | loss_epoch=… summary
    step[0] | loss_step=…
      data_load first=True
      forward
      backward
      optimizer_step
    step[1] | loss_step=…
      data_load
      forward
      backward
      optimizer_step
    evaluation stage='validate' | val_loss=… summary
      step[0]
        data_load first=True
        forward
  evaluation stage='validate' | val_loss=… summary
    step[0]
      data_load first=True
      forward
  evaluation stage='test' | test_loss=… summary
    step[0]
      data_load first=True
      forward
  prediction
    step[0]
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
        self.log("loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", mse_loss(self.net(batch[0]), batch[1]))

    def test_step(self, batch, index):
        self.log("test_loss", mse_loss(self.net(batch[0]), batch[1]))

    def predict_step(self, batch, index):
        return self.net(batch[0])

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.1)
        steps = self.trainer.estimated_stepping_batches  # which sets up the loader
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, steps)]


ci.profile()
pl.seed_everything(1, verbose=False)
module = Module()
training, held_out = (torch.utils.data.DataLoader(numbers(n), batch_size=4) for n in (2, 1))
fitting = trainer(pl.Trainer, max_epochs=2, enable_checkpointing=True)
fitting.fit(module, training, held_out)
found = [fitting.validate(module, held_out, verbose=False), fitting.test(module, held_out, verbose=False)]
print(found, fitting.predict(module, held_out))
saved = torch.load(fitting.checkpoint_callback.best_model_path)
print(fingerprint(module), [type(each).__name__ for each in fitting.callbacks], list(saved["callbacks"]))
