"""`model.train()` comes in the body only, `model.eval()` after the epoch; then another model learns from it, and it learns in that mode.

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
  evaluation
    step[0]
      data_load first=True
      forward
  epoch[1]
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
  epoch[2]
    step[0]
      data_load first=True
      forward
      forward
      backward
      optimizer_step
  epoch[3]
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
loader, held_out = (torch.utils.data.DataLoader(numbers(n), batch_size=4) for n in (2, 1))
pupil = net()
pupils_optimizer = torch.optim.SGD(pupil.parameters(), lr=0.2)


def train(x):
    optimizer.zero_grad()
    model(x).sum().backward()
    optimizer.step()


for _ in range(2):
    for x, _ in loader:
        model.train()
        train(x)
    model.eval()
    for x, _ in held_out:
        print(model(x).sum().item())
for x, _ in held_out:
    with torch.no_grad():
        wanted = model(x)
    pupils_optimizer.zero_grad()
    (pupil(x) - wanted).square().sum().backward()
    pupils_optimizer.step()
for x, _ in held_out:
    train(x)
print(fingerprint(model))
