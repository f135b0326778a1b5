"""Evaluation: after the epoch and within a step, without gradients or by `eval()` alone; and a teacher in eval mode.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      forward
      evaluation
        step[0]
          data_load first=True
          forward
    step[1]
      data_load
      forward
      forward
      evaluation
        step[0]
          data_load first=True
          forward
  evaluation
    step[0]
      data_load first=True
      forward
  epoch[1]
    step[0]
      data_load first=True
      forward
"""

import torch
from common import net, numbers

import cirron as ci

ci.profile()
model, teacher = net(), net().eval()
loader, held_out = (torch.utils.data.DataLoader(numbers(n), batch_size=4) for n in (2, 1))
for x, _ in loader:
    model(x)
    with torch.no_grad():
        teacher(x)
        for z, _ in held_out:
            model(z)
model.eval()
for z, _ in held_out:
    with torch.inference_mode():
        model(z)
model.train()
for z, _ in held_out:
    model(z)
