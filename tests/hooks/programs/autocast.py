"""Mixed precision in bfloat16.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward autocast='bfloat16'
      backward
      optimizer_step
"""

import torch
from common import fingerprint, net, numbers

import cirron as ci

ci.profile()
model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x, y in torch.utils.data.DataLoader(numbers(1), batch_size=4):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
print(loss.item(), fingerprint(model))
