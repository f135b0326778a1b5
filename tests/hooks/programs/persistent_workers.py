"""Persistent workers keep their iterator alive: after a `break` its step ends where the next loop begins.

cirron.session
  epoch[0]
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
    step[1]
      data_load
      forward
"""

import torch
from common import net, numbers

import cirron as ci

ci.profile()
model = net()
loader = torch.utils.data.DataLoader(numbers(), batch_size=4, num_workers=1, persistent_workers=True)
for x, _ in loader:
    total = model(x).sum()
    break
with torch.no_grad():
    for x, _ in torch.utils.data.DataLoader(numbers(1), batch_size=4):
        total += model(x).sum()
for x, _ in loader:
    total += model(x).sum()
print(total.item())
