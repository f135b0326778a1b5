"""A plain loop.

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
"""

import torch
from common import fingerprint, net, numbers

import cirron as ci

ci.profile()
model, loss_fn = net(), torch.nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters())
for _ in range(2):
    for x, y in torch.utils.data.DataLoader(numbers(), batch_size=4):
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
print(loss.item(), fingerprint(model))
