"""Activation checkpointing calls modules again in the backward pass, in both of its ways.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      forward
      backward
"""

import torch
from common import fingerprint, net, numbers
from torch.utils.checkpoint import checkpoint

import cirron as ci

ci.profile()


class Checkpointed(torch.nn.Module):
    def __init__(self, use_reentrant):
        super().__init__()
        self.net, self.use_reentrant = net(), use_reentrant

    def forward(self, x):
        return checkpoint(self.net, x, use_reentrant=self.use_reentrant)


models = [Checkpointed(use_reentrant) for use_reentrant in (False, True)]
for x, _ in torch.utils.data.DataLoader(numbers(1), batch_size=4):
    for model in models:
        model(x.requires_grad_()).sum().backward()
print(fingerprint(*models), [parameter.grad.sum().item() for parameter in models[1].parameters()])
