"""Without a loader there is nobody who could tell one step from the next.

cirron.session
  forward
  backward
  optimizer_step
  forward
  backward
  optimizer_step
"""

import torch
from common import fingerprint, net

import cirron as ci

ci.profile()
model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    model(torch.ones(4, 3)).sum().backward()
    optimizer.step()
print(fingerprint(model))
