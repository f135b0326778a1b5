"""A sampler that draws its batches to count them: nobody may ask, or the program computes something else.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
    step[1]
      data_load
      forward
      backward
      optimizer_step
"""

import torch
from common import fingerprint, net, numbers

import cirron as ci

ci.profile()


class Buckets(torch.utils.data.Sampler):
    def __init__(self, count):
        self.count = count

    def __iter__(self):
        for bucket in torch.randperm(self.count).split(4):
            yield bucket.tolist()

    def __len__(self):
        return len(list(self))


model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
data = numbers()
for x, y in torch.utils.data.DataLoader(data, batch_sampler=Buckets(len(data))):
    optimizer.zero_grad()
    (model(x) - y).square().mean().backward()
    optimizer.step()
print(fingerprint(model), torch.rand(1).item())
