"""The user's loops own their unit, around the loader and in place of it.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
    evaluation
      step[0]
        data_load first=True
        forward
  epoch[1]
    step[0]
      data_load first=True
      forward
      backward
    evaluation
      step[0]
        data_load first=True
        forward
  epoch[0]
    batch[0] data_load_ns=…
      data_load first=True
      forward
  epoch[0]
    batch[0]
      forward
      backward
    batch[1]
      forward
      backward
"""

import torch
from common import net, numbers

import cirron as ci

ci.profile()
model = net()
loader = torch.utils.data.DataLoader(numbers(1), batch_size=4)
for _ in ci.epochs(range(2)):
    for x, _ in loader:
        model(x).sum().backward()
    with torch.no_grad():
        for x, _ in loader:
            model(x)
for x, _ in ci.batches(loader):
    model(x)
for _ in ci.epochs(range(1)):
    for _ in ci.batches(range(2)):
        model(x).sum().backward()
