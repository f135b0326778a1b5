"""An IterableDataset, in which the user has scopes and marks; what comes after the last batch stays in a step.end.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
        read
    step[1]
      data_load
        read
    step.end[2]
      data_load | read=2
"""

import torch
from torch.utils.data import DataLoader, IterableDataset

import cirron as ci

ci.profile()


class Lines(IterableDataset):
    def __iter__(self):
        for number in range(2):
            with ci.scope("read"):
                line = torch.tensor([float(number)])
            yield line
        ci.mark("read", 2)


print([x.tolist() for x in DataLoader(Lines(), batch_size=1)])
