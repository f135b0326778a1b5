"""Two workers load the batches; those write no records of their own.

cirron.session
  epoch[0]
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
    step[1]
      data_load
      forward
"""

import torch
from common import fingerprint, net, numbers

import cirron as ci

ci.profile()
model = net()
loader = torch.utils.data.DataLoader(numbers(), batch_size=4, num_workers=2)
for _ in range(2):
    total = sum(model(x).sum().item() for x, _ in loader)
print(total, fingerprint(model))
