"""An exception that ends the program, in the step of an optimizer.

cirron.session
  epoch[0] error='ArithmeticError'
    step[0] error='ArithmeticError'
      data_load first=True
      forward
      backward
      optimizer_step error='ArithmeticError'
"""

import torch
from common import net, numbers

import cirron as ci

ci.profile()


class Fragile(torch.optim.SGD):
    def step(self, closure=None):
        raise ArithmeticError("on purpose")


model = net()
optimizer = Fragile(model.parameters(), lr=0.1)
for x, _ in torch.utils.data.DataLoader(numbers(), batch_size=4):
    model(x).sum().backward()
    optimizer.step()
