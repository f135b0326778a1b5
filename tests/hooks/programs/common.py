"""What the programs have in common: a little data, a little model, and a fingerprint of what was learned."""

import contextvars
import gc
import hashlib
import time

import torch
from torch import nn


def numbers(batches=2, batch_size=4):
    """A dataset of as many batches of `(x, y)`."""
    torch.manual_seed(1)
    count = batches * batch_size
    return torch.utils.data.TensorDataset(torch.randn(count, 3), torch.randn(count, 1))


class Net(nn.Module):
    """Two layers, with modules in modules."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 5), nn.ReLU())
        self.head = nn.Linear(5, 1)

    def forward(self, x):
        return self.head(self.body(x))


def net():
    torch.manual_seed(2)
    return Net()


def fingerprint(*modules):
    """Every bit of every parameter."""
    digest = hashlib.sha256()
    for module in modules:
        for tensor in module.state_dict().values():
            digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def wait_for_reductions():
    """Until gloo's threads hold nothing of Python's: one that lets go of a backward pass's context, as each reduction
    does when it is over, after Python has ended aborts the process (torch 2.13, with or without cirron)."""
    contextvars.copy_context()  # the main thread has a context of its own from here on
    while sum(isinstance(thing, contextvars.Context) for thing in gc.get_objects()) > 1:
        time.sleep(0.001)
