"""Loaders of the user's own classes: a generator around the loop, another iterator, a prefetching thread.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
    step[1]
      data_load
      forward
  forward
  epoch[1]
    step[0]
      data_load first=True
    step[1]
      data_load
  forward
  forward
"""

import threading

from common import fingerprint, net, numbers
from torch.utils.data import DataLoader

import cirron as ci

ci.profile()
model = net()


class Moved(DataLoader):
    def __iter__(self):
        for x, _ in super().__iter__():
            yield x * 1


class Listed(DataLoader):
    def _get_iterator(self):
        return iter([(self.dataset[0][0][None], None)])


for x in Moved(numbers(), batch_size=4):
    model(x)
for x, _ in Listed(numbers()):
    model(x)
batches = []
thread = threading.Thread(target=lambda: batches.extend(DataLoader(numbers(), batch_size=4)))
thread.start()
thread.join()
for x, _ in batches:
    model(x)
print(len(batches), fingerprint(model))
