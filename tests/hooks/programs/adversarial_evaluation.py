"""An evaluation with backward passes of its own, in a step and after the epoch; and a batch tried by hand before a training.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
      evaluation
        step[0]
          data_load first=True
          forward
          backward
          forward
    step[1]
      data_load
      forward
      backward
      optimizer_step
      evaluation
        step[0]
          data_load first=True
          forward
          backward
          forward
  evaluation
    step[0]
      data_load first=True
      forward
      backward
      forward
      forward
      backward
      optimizer_step
  epoch[1]
    step[0]
      data_load first=True
      evaluation
        step[0]
          data_load first=True
          forward
          backward
          forward
      forward
      backward
      optimizer_step
    step[1]
      data_load
      evaluation
        step[1]
          data_load
          forward
          backward
          forward
      forward
      backward
      optimizer_step
  evaluation
    step[2]
      data_load
      forward
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
many = torch.utils.data.DataLoader(numbers(9), batch_size=4)


def attacked(x):
    model.eval()
    x.requires_grad_()
    model(x).sum().backward()
    with torch.no_grad():
        print(model(x + 0.1 * x.grad.sign()).sum().item())
    model.train()


def train(x):
    optimizer.zero_grad()
    model(x).sum().backward()
    optimizer.step()


for x, _ in loader:
    train(x)
    model.eval()
    for z, _ in held_out:
        attacked(z)
        model.eval()
    model.train()
model.eval()
for z, _ in held_out:
    attacked(z)
    change = torch.zeros_like(x, requires_grad=True)
    attack = torch.optim.Adam([change])
    model(x + change).sum().backward()
    attack.step()
tries = iter(many)
for x, _ in loader:
    model.eval()
    attacked(next(tries)[0])
    train(x)
with torch.no_grad():
    print(model(next(tries)[0]).sum().item())
train(x)
print(fingerprint(model))
