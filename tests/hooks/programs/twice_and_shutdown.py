"""profile() twice, an end in the middle of a loop, and another session in that same loop.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
    step[1]
      data_load
      forward
"""

import torch
from common import net, numbers

import cirron as ci

ci.profile()
ci.profile()
model = net()
for number, (x, _) in enumerate(torch.utils.data.DataLoader(numbers(4), batch_size=4)):
    model(x)
    if number == 0:
        ci.shutdown()
    if number == 1:
        ci.profile()
