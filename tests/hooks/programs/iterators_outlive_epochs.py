"""Iterators that are made before the epochs of `ci.epochs`, and of which each takes some steps; the look before leaves no epoch.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
  epoch[1]
    step[1]
      data_load
      forward
      backward
      optimizer_step
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
      evaluation
        step[0]
          data_load first=True
          forward
  epoch[1]
    step[2]
      data_load
      forward
      backward
      optimizer_step
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
      evaluation
        step[0]
          data_load first=True
          forward
"""

import itertools

import torch
from common import fingerprint, net, numbers

import cirron as ci

ci.profile()
model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

loader, held_out = (torch.utils.data.DataLoader(numbers(n), batch_size=4) for n in (3, 1))


def again_and_again(batches):
    while True:
        yield from batches


def train(x):
    optimizer.zero_grad()
    model(x).sum().backward()
    optimizer.step()


batches = iter(loader)
for _ in ci.epochs(range(2)):
    for x, _ in itertools.islice(batches, 1):
        train(x)
looked = iter(held_out)
print(next(looked)[0].shape)
endless = again_and_again(loader)
for _ in ci.epochs(range(2)):
    for _ in range(2):
        train(next(endless)[0])
    with torch.no_grad():
        for x, _ in held_out:
            print(model(x).sum().item())
print(fingerprint(model))
