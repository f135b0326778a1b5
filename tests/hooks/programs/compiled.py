"""A compiled model, whole and as a part of another, and a compiled step.

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
  forward
"""

import torch
from common import fingerprint, net, numbers

import cirron as ci

ci.profile()
model = net()
compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x, _ in torch.utils.data.DataLoader(numbers(), batch_size=4):
    compiled(x).sum().backward()
    optimizer.step()
whole = torch.nn.Sequential(net(), net().head.__class__(1, 1))
torch.nn.init.ones_(whole[1].weight)
outer = torch.compile(whole, backend="aot_eager", fullgraph=True)
print(outer(x)[:, 0].shape, fingerprint(model))
