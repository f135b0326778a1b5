"""Accumulation over a stream; a loop that begins in the middle, a `break`, the user's scopes, and exceptions.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
    step[1]
      data_load
      forward
      backward
      optimizer_step
    step[2]
      data_load
      forward
      backward
      optimizer_step
  epoch[1]
    step[0]
      data_load first=True
      forward
  epoch[2]
    step[0]
      data_load first=True
      forward
  epoch[0]
    batch[0] data_load_ns=…
      data_load first=True
      forward
  epoch[3] error='ValueError'
    step[0] error='ValueError'
      data_load first=True
      forward
  epoch[4] error='KeyError'
    step[0] error='KeyError'
      data_load first=True error='KeyError'
"""

import torch
from accelerate import Accelerator
from common import fingerprint, net, numbers

import cirron as ci


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        yield from numbers(3)


class Broken(torch.utils.data.Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        if index == 1:
            raise KeyError(index)
        return torch.ones(3)


ci.profile()
accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
model = net()
model, optimizer, stream, loader = accelerator.prepare(
    model,
    torch.optim.SGD(model.parameters(), lr=0.1),
    torch.utils.data.DataLoader(Stream(), batch_size=4),
    torch.utils.data.DataLoader(numbers(3), batch_size=4),
)
for x, y in stream:
    with accelerator.accumulate(model):
        accelerator.backward(torch.nn.functional.mse_loss(model(x), y))
        optimizer.step()
        optimizer.zero_grad()
for x, _ in accelerator.skip_first_batches(loader, 2):
    model(x)
for x, _ in loader:
    model(x)
    break
for _ in ci.epochs(range(1)):
    for x, _ in ci.batches(loader):
        model(x)
        break
try:
    for x, _ in loader:
        model(x)
        raise ValueError
except ValueError:
    pass
try:
    for x in accelerator.prepare(torch.utils.data.DataLoader(Broken())):
        model(x)
except KeyError as error:
    print("caught", error)
print(fingerprint(model), type(stream).__name__, len(loader))
