"""The user's own scopes around hooked code, within it, and in place of it.

cirron.session
  training
    epoch[0]
      step[0]
        data_load first=True
        forward
          head
        backward
        clip
        optimizer_step
  epoch[7]
    step[0]
      data_load first=True
      model
        forward
"""

import torch
from common import net, numbers

import cirron as ci

ci.profile()
model = net()
model.head.forward = ci.scope("head")(model.head.forward)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = torch.utils.data.DataLoader(numbers(1), batch_size=4)
with ci.scope("training"):
    for x, _ in loader:
        with ci.scope("forward"):
            loss = model(x).sum()
        with ci.scope("backward"):
            loss.backward()
        with ci.scope("clip"):
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        with ci.scope("optimizer_step"):
            optimizer.step()
del model.head.forward
with ci.scope("epoch", 7):
    for x, _ in loader:
        with ci.scope("model"):
            model(x)
