"""A batch that cannot be had is no end of an epoch for a program that goes on by hand; it is that of a `for`.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
    step[1] error='RuntimeError'
      data_load error='RuntimeError'
    step[2]
      data_load
      forward
      backward
      optimizer_step
  epoch[1] error='RuntimeError'
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
    step[1] error='RuntimeError'
      data_load error='RuntimeError'
"""

import torch
from common import fingerprint, net, numbers

import cirron as ci

ci.profile()
model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
calls = []


def collate(items):
    calls.append(len(items))
    if len(calls) % 3 == 2:
        raise RuntimeError("a bad batch")
    return torch.utils.data.default_collate(items)


loader = torch.utils.data.DataLoader(numbers(3), batch_size=4, collate_fn=collate)


def train(x):
    optimizer.zero_grad()
    model(x).sum().backward()
    optimizer.step()


batches = iter(loader)
while True:
    try:
        train(next(batches)[0])
    except RuntimeError as error:
        print(error)
    except StopIteration:
        break
calls.clear()
try:
    for x, _ in loader:
        train(x)
except RuntimeError as error:
    print(error)
print(fingerprint(model))
