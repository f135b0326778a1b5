"""Gradients are switched off in the body of the loop only: that shows when something is done with a batch.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      forward
      backward
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
  epoch[1]
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
model, teacher = net(), net().eval()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader, short = (torch.utils.data.DataLoader(numbers(n), batch_size=4) for n in (2, 1))
for x, _ in short:
    with torch.no_grad():
        teacher(x)
    model(x).sum().backward()
for x, _ in loader:
    with torch.no_grad():
        model(x)
for x, _ in loader:
    with torch.inference_mode():
        print(model(x).sum().item())
    break
model.eval()  # as for fine-tuning with frozen statistics; what is learned shows in the backward pass
teacher.train()
model.train()
for x, _ in short:
    model.eval()
    model(x).sum().backward()
    optimizer.step()
print(fingerprint(model))
