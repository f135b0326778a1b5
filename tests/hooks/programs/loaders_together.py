"""A loader in a loader, and two in one zip: the first one owns the steps.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      data_load first=True
      data_load
    step[1]
      data_load
      data_load first=True
      data_load
  epoch[1]
    step[0]
      data_load first=True
      data_load first=True
    step[1]
      data_load
      data_load
"""

import torch
from common import numbers

import cirron as ci

ci.profile()
one, two = (torch.utils.data.DataLoader(numbers(), batch_size=4) for _ in range(2))
print(sum(1 for _ in one for _ in two), sum(1 for _ in zip(one, two, strict=True)))
