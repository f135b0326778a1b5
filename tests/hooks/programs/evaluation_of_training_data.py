"""In the midst of an epoch the model is tried on the very loader that it learns from, which goes on afterwards.

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
        step[1]
          data_load
          forward
      evaluation
        step[0]
          data_load first=True
          forward
        step[1]
          data_load
          forward
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
loader = torch.utils.data.DataLoader(numbers(), batch_size=4)


def tried():
    return sum(model(x).sum().item() for x, _ in loader)


for number, (x, y) in enumerate(loader):
    model.train()
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()
    if number == 0:
        with torch.no_grad():
            print(tried())
        model.eval()
        print(tried())
print(fingerprint(model))
