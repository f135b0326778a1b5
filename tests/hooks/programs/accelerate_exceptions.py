"""Errors in the loop's body and in the dataset; two sessions in one loop; a peek at the first batch.

cirron.session
  epoch[0] error='ValueError'
    step[0] error='ValueError'
      data_load first=True
      forward
  epoch[1] error='KeyError'
    step[0]
      data_load first=True
      forward
    step[1] error='KeyError'
      data_load error='KeyError'
  epoch[2]
    step[0]
      data_load first=True
      forward
cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
"""

import torch
from accelerate import Accelerator
from common import net, numbers

import cirron as ci


class Broken(torch.utils.data.Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        if index == 2:
            raise KeyError(index)
        return torch.ones(3)


ci.profile()
accelerator = Accelerator(cpu=True)
model, loader, broken = accelerator.prepare(
    net(), torch.utils.data.DataLoader(numbers(3), batch_size=4), torch.utils.data.DataLoader(Broken())
)
try:
    for x, _ in loader:
        model(x)
        raise ValueError
except ValueError:
    pass
try:
    for x in broken:
        model(x)
except KeyError as error:
    print("caught", error)
for number, (x, _) in enumerate(loader):
    print(model(x).sum().item())
    if number == 0:
        ci.shutdown()
    if number == 1:
        ci.profile()
