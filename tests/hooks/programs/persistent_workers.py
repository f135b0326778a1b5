"""Persistent workers keep their iterator alive, but a `break` ends the loop; what comes after it is no part of it.

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
  epoch[1] error='ValueError'
    step[0] error='ValueError'
      data_load first=True
  epoch[2]
    step[0]
      data_load first=True
      forward
    step[1]
      data_load
      forward
"""

import weakref

import torch
from common import net, numbers
from torch.utils.data import dataloader

import cirron as ci

ci.profile()
model = net()
loader = torch.utils.data.DataLoader(numbers(), batch_size=4, num_workers=1, persistent_workers=True)
for x, _ in loader:
    total = model(x).sum()
    break
model(x)
with torch.no_grad():
    for x, _ in torch.utils.data.DataLoader(numbers(1), batch_size=4):
        total += model(x).sum()
try:
    for _ in loader:
        raise ValueError
except ValueError:
    pass
batches = iter(loader)
print(isinstance(batches, dataloader._MultiProcessingDataLoaderIter), len(batches), batches is iter(batches))
batches.name = "mine"
print(weakref.ref(batches)() is batches, batches.name, loader._iterator.name)
del batches.name
print(hasattr(batches, "name"))
for x, _ in batches:
    total += model(x).sum()
print(total.item())
