"""Epochs with clipping, and after each an evaluation whose metrics are gathered; `no_grad` is in the loop only.

cirron.session
  epoch[0]
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
  evaluation
    step[0]
      data_load first=True
      forward
    step[1]
      data_load
      forward
  epoch[1]
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
  evaluation
    step[0]
      data_load first=True
      forward
    step[1]
      data_load
      forward
"""

import types

import torch
from accelerate import Accelerator
from common import fingerprint, net, numbers
from torch.nn.functional import mse_loss

import cirron as ci

ci.profile()
accelerator = Accelerator(cpu=True)
model = net()
loaders = [
    torch.utils.data.DataLoader(numbers(2), batch_size=4, shuffle=shuffle) for shuffle in (True, False)
]
model, optimizer, training, held_out, scheduler = accelerator.prepare(
    model,
    optimizer := torch.optim.AdamW(model.parameters()),
    *loaders,
    torch.optim.lr_scheduler.StepLR(optimizer, 1),
)
for _ in range(2):
    model.train()
    for x, y in training:
        loss = mse_loss(model(x), y)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    model.eval()
    for x, y in held_out:
        with torch.no_grad():
            losses = accelerator.gather_for_metrics(mse_loss(model(x), y, reduction="none"))
        print(loss.item(), losses.tolist())
print(fingerprint(model), isinstance(iter(training), types.GeneratorType))
