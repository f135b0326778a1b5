"""LBFGS calls the model within its step.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      optimizer_step
        forward
        backward
        forward
        backward
"""

import torch
from common import fingerprint, net, numbers

import cirron as ci

ci.profile()
model = net()
optimizer = torch.optim.LBFGS(model.parameters(), max_iter=2, max_eval=2)
for x, y in torch.utils.data.DataLoader(numbers(1), batch_size=4):

    def closure(x=x, y=y):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        return loss

    optimizer.step(closure)
print(fingerprint(model))
