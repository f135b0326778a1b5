"""Loaders that keep one iterator for ever, as YOLO's do: each generator that they give is a loop.

cirron.session | accuracy=…
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
    step[1]
      data_load
      forward
      backward
  evaluation
    step[0]
      data_load first=True
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
"""

import inspect
import types

import torch
from common import fingerprint, net, numbers

import cirron as ci

ci.profile()


class Repeated:
    def __init__(self, sampler):
        self.sampler = sampler

    def __iter__(self):
        while True:
            yield from iter(self.sampler)


class InfiniteDataLoader(torch.utils.data.DataLoader):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        object.__setattr__(self, "batch_sampler", Repeated(self.batch_sampler))
        self.iterator = super().__iter__()

    def __len__(self):
        return len(self.batch_sampler.sampler)

    def __iter__(self):
        for _ in range(len(self)):
            yield next(self.iterator)


training = InfiniteDataLoader(numbers(2), batch_size=4, shuffle=True)
held_out = InfiniteDataLoader(numbers(1), batch_size=4)
model = net()
for epoch in range(2):
    for x, _ in training:
        model(x).sum().backward()
        if epoch == 1:
            break
    with torch.no_grad():
        total = sum(model(x).sum() for x, _ in held_out)
ci.mark("accuracy", 0.5)
print(fingerprint(model), total.item(), isinstance(iter(training), types.GeneratorType))
print(len(training), inspect.signature(InfiniteDataLoader.__iter__))
