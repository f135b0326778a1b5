"""A look at one batch, for its shape or to try the model on it, is no epoch; nor is a loop over no data.

cirron.session
  peek
    step[0]
      data_load first=True
  forward
  peek
    step[0]
      data_load first=True
  epoch[0]
    step[0]
      data_load first=True
      forward
  epoch[1]
    step[0]
      data_load first=True
      forward
"""

import torch
from common import net, numbers

import cirron as ci

ci.profile()
model = net()
loader = torch.utils.data.DataLoader(numbers(), batch_size=4)
short = torch.utils.data.DataLoader(numbers(1), batch_size=4)
x, _ = next(iter(loader))
print(x.shape, model(x).sum().item())
for x, _ in loader:
    print(x.dtype)
    break
for _ in torch.utils.data.DataLoader([]):
    print("never")
unused = iter(loader)
del unused
for x, _ in short:
    model(x)
for x, _ in short:
    print(model(x).sum().item())
