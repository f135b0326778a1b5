"""Two models and two optimizers in one step.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      forward
      forward
      backward
      optimizer_step
      forward
      backward
      optimizer_step
    step[1]
      data_load
      forward
      forward
      forward
      backward
      optimizer_step
      forward
      backward
      optimizer_step
"""

import torch
from common import fingerprint, numbers
from torch import nn

import cirron as ci

ci.profile()
torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3))
judge = nn.Linear(3, 1)
loss_fn = nn.BCEWithLogitsLoss()
optimizer_g = torch.optim.Adam(generator.parameters())
optimizer_j = torch.optim.Adam(judge.parameters())
ones, zeros = torch.ones(4, 1), torch.zeros(4, 1)
for real, _ in torch.utils.data.DataLoader(numbers(), batch_size=4):
    fake = generator(torch.randn(4, 2))
    optimizer_j.zero_grad()
    (loss_fn(judge(real), ones) + loss_fn(judge(fake.detach()), zeros)).backward()
    optimizer_j.step()
    optimizer_g.zero_grad()
    loss_fn(judge(fake), ones).backward()
    optimizer_g.step()
print(fingerprint(generator, judge))
