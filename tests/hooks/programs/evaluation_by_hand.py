"""One batch of an endless iterator is tried after each step: the loop that trains ends that evaluation when it goes on.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      evaluation
        step[0]
          data_load first=True
          forward
    step[1]
      data_load
      forward
      backward
      evaluation
        step[1]
          data_load
          forward
  epoch[1]
    step[0]
      data_load first=True
      forward
      backward
      evaluation
        step[0]
          data_load first=True
          forward
    step[1]
      data_load
      forward
      backward
      evaluation
        step[1]
          data_load
          forward
"""

import torch
from common import net, numbers

import cirron as ci

ci.profile()
model = net()
loader, held_out = (torch.utils.data.DataLoader(numbers(), batch_size=4) for _ in range(2))


def again_and_again(batches):
    while True:
        yield from batches


tries = again_and_again(held_out)
for _ in range(2):
    for x, _ in loader:
        model(x).sum().backward()
        with torch.no_grad():
            print(model(next(tries)[0]).sum().item())
