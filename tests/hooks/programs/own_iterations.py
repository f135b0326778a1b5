"""A scope of the user's around each iteration, in which the batch is asked for by hand: the step ends with it.

cirron.session
  epoch[0]
    iteration[0]
      step[0]
        data_load first=True
        forward
        backward
        optimizer_step
    iteration[1]
      step[1]
        data_load
        forward
        backward
        optimizer_step
  iteration[0]
    epoch[1]
      step[0]
        data_load first=True
        forward
        backward
        optimizer_step
  iteration[1]
    epoch[1]
      step[1]
        data_load
        forward
        backward
        optimizer_step
  iteration[2]
    epoch[2]
      step[0]
        data_load first=True
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
loader = torch.utils.data.DataLoader(numbers(), batch_size=4)


def again_and_again(batches):
    while True:
        yield from batches


def train(x):
    optimizer.zero_grad()
    model(x).sum().backward()
    optimizer.step()


batches, endless = iter(loader), again_and_again(loader)
for number in range(2):
    with ci.scope("iteration", number):
        train(next(batches)[0])
del batches
for number in range(3):
    with ci.scope("iteration", number):
        train(next(endless)[0])
print(fingerprint(model))
