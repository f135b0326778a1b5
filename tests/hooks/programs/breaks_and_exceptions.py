"""`break`, and exceptions in the loop's body, in the forward and in the dataset; each is caught, and it goes on.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
  epoch[1] error='ValueError'
    step[0] error='ValueError'
      data_load first=True
  epoch[2] error='RuntimeError'
    step[0] error='RuntimeError'
      data_load first=True
      forward error='RuntimeError'
  epoch[3] error='KeyError'
    step[0] error='KeyError'
      data_load first=True error='KeyError'
  epoch[4]
    step[0]
      data_load first=True
      forward
      backward error='RuntimeError'
      forward
      backward
  forward
"""

import torch
from common import net, numbers

import cirron as ci

ci.profile()
model = net()
loader = torch.utils.data.DataLoader(numbers(), batch_size=4)
for x, _ in loader:
    model(x)
    break
try:
    for _ in loader:
        raise ValueError
except ValueError:
    pass
try:
    for x, _ in loader:
        model(x[:, :2])
except RuntimeError:
    print("a wrong shape")


class Broken(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        raise KeyError(index)


try:
    for _ in torch.utils.data.DataLoader(Broken()):
        pass
except KeyError as error:
    print("caught", error)
for x, _ in torch.utils.data.DataLoader(numbers(1), batch_size=4):
    try:
        model(x).backward()  # no scalar
    except RuntimeError:
        model(x).sum().backward()
print(model(x).sum().item())
