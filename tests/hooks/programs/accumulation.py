"""Gradient accumulation: every batch is a step, and every other one has an optimizer_step.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
    step[1]
      data_load
      forward
      backward
      optimizer_step
    step[2]
      data_load
      forward
      backward
    step[3]
      data_load
      forward
      backward
      optimizer_step
"""

import torch
from common import fingerprint, net, numbers

import cirron as ci

ci.profile()
model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for number, (x, y) in enumerate(torch.utils.data.DataLoader(numbers(4), batch_size=4)):
    (torch.nn.functional.mse_loss(model(x), y) / 2).backward()
    if number % 2:
        optimizer.step()
        optimizer.zero_grad()
print(fingerprint(model))
