"""The user's loops around the loader itself, with progress bars in and around them.

cirron.session
  epoch[0]
    batch[0] data_load_ns=…
      data_load first=True
      forward
      backward
      optimizer_step
    batch[1] data_load_ns=…
      data_load
      forward
      backward
      optimizer_step
  epoch[0]
    batch[0] data_load_ns=…
      data_load first=True
      forward
      backward
      optimizer_step
    batch[1] data_load_ns=…
      data_load
      forward
      backward
      optimizer_step
  epoch[0]
    batch[0] data_load_ns=…
      data_load first=True
      forward
      backward
      optimizer_step
    batch[1] data_load_ns=…
      data_load
      forward
      backward
      optimizer_step
  epoch[0]
    batch[0] data_load_ns=…
      data_load first=True
      forward
      backward
      optimizer_step
"""

import itertools

import torch
from common import fingerprint, net, numbers
from tqdm import tqdm

import cirron as ci

ci.profile()
model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = torch.utils.data.DataLoader(numbers(2), batch_size=4, shuffle=True)


def train(x, y):
    optimizer.zero_grad()
    loss = (model(x) - y).square().mean()
    loss.backward()
    optimizer.step()


for _ in ci.epochs(range(1)):
    for x, y in ci.batches(loader):
        train(x, y)
for _ in tqdm(ci.epochs(range(1))):
    bar = tqdm(ci.batches(loader))
    print(bar.total, len(ci.batches(loader)), ci.batches(loader).dataset is loader.dataset)
    for x, y in bar:
        train(x, y)
for _ in ci.epochs(range(1)):
    for _, (x, y) in enumerate(ci.batches(tqdm(loader))):
        train(x, y)
for _ in ci.epochs(range(1)):
    for x, y in itertools.islice(ci.batches(loader), 1):
        train(x, y)
print(fingerprint(model))
