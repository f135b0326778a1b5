"""A batch that is looked at by hand first, and whose iterator is kept, as in many a tutorial and notebook.

cirron.session
  peek
    step[0]
      data_load first=True
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
  epoch[1]
    step[0]
      data_load first=True
      forward
  evaluation
    step[0]
      data_load first=True
      forward
  peek
    step[0]
      data_load first=True
  epoch[2]
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
"""

import torch
from common import fingerprint, net, numbers

import cirron as ci

ci.profile()
model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader, held_out = (torch.utils.data.DataLoader(numbers(n), batch_size=4) for n in (2, 1))


def train(x):
    optimizer.zero_grad()
    model(x).sum().backward()
    optimizer.step()


looked = iter(loader)
print(next(looked)[0].shape)
for x, _ in loader:
    train(x)
looked_again = iter(held_out)
print(model(next(looked_again)[0]).sum().item())
with torch.no_grad():
    for x, _ in held_out:
        print(model(x).sum().item())
first = next(iter(held_out))[0]
for x, _ in loader:
    train(x)
print(fingerprint(model))
