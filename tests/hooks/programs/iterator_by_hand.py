"""An iterator that is asked by hand, begun again before its end, deleted early, and peeked into.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
  epoch[1]
    step[0]
      data_load first=True
    step[1]
      data_load
  epoch[2]
    step[0]
      data_load first=True
      forward
  forward
"""

import torch
from common import net, numbers

import cirron as ci

ci.profile()
model = net()
loader = torch.utils.data.DataLoader(numbers(), batch_size=4)
batches = iter(loader)
x, _ = next(batches)
model(x)
batches = iter(loader)
next(batches), next(batches)
print(next(batches, "no more"), next(batches, "still none"))
batches = iter(loader)
model(next(batches)[0])
del batches
print(model(x).sum().item())
