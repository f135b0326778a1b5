"""As evaluation_inside, but gradients are off in the body only, or it is a look: then it is a part of the step, and the epoch one.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
      data_load first=True
      forward
      data_load
      forward
    step[1]
      data_load
      forward
      backward
      optimizer_step
  epoch[1]
    step[0]
      data_load first=True
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
loader = torch.utils.data.DataLoader(numbers(), batch_size=4)
for epoch in range(2):
    for number, (x, y) in enumerate(loader):
        if (epoch, number) == (1, 0):
            for z, _ in loader:
                print(z.shape)
                break
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        if (epoch, number) == (0, 0):
            for z, _ in loader:
                with torch.no_grad():
                    print(model(z).sum().item())
print(fingerprint(model))
