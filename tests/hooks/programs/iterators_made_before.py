"""Iterators that are made first and asked by hand later, in the steps of another loop, such as for data without labels.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      data_load first=True
      forward
      backward
      evaluation
        step[0]
          data_load first=True
          forward
    step[1]
      data_load
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
      data_load
      forward
      backward
      evaluation
        step[2]
          data_load
          forward
    step[1]
      data_load
      data_load
      forward
      backward
      evaluation
        step[3]
          data_load
          forward
"""

import torch
from common import net, numbers

import cirron as ci

ci.profile()
model = net()
loader, unlabelled, held_out = (torch.utils.data.DataLoader(numbers(n), batch_size=4) for n in (2, 9, 9))
more, tries = iter(unlabelled), iter(held_out)
for _ in range(2):
    for x, _ in loader:
        model(torch.cat((x, next(more)[0]))).sum().backward()
        with torch.no_grad():
            print(model(next(tries)[0]).sum().item())
