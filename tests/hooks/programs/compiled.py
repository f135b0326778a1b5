"""A compiled model, whole and as a part of another, and a compiled step.

cirron.session
  forward
  forward
  epoch[0]
    step[0]
      data_load first=True
      forward | torch.compile='forward' compile_id='0/0' duration_ns=…
      backward | torch.compile='backward' compile_id='0/0' duration_ns=…
      optimizer_step
    step[1]
      data_load
      forward
      backward
      optimizer_step
  forward | torch.compile='inner' compile_id='1/0' duration_ns=…
"""

import torch
from common import fingerprint, net, numbers

import cirron as ci

ci.profile()
model = net()
whole = torch.nn.Sequential(net(), torch.nn.Linear(1, 1))
model(torch.ones(1, 3)), whole(torch.ones(1, 3))  # their classes are known from here on
compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x, _ in torch.utils.data.DataLoader(numbers(), batch_size=4):
    compiled(x).sum().backward()
    optimizer.step()
outer = torch.compile(whole, backend="aot_eager", fullgraph=True)
print(outer(x).sum().item(), fingerprint(model))
