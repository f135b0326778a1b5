"""Data-parallel training with gloo, as torchrun starts it in two processes; each has this tree.

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
from common import fingerprint, net, numbers, wait_for_reductions
from torch.nn.parallel import DistributedDataParallel

import cirron as ci

ci.profile()
torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
model = DistributedDataParallel(net())
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
data = numbers(4)
sampler = torch.utils.data.DistributedSampler(data)
for x, y in torch.utils.data.DataLoader(data, batch_size=4, sampler=sampler):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
wait_for_reductions()
torch.distributed.destroy_process_group()
print(f"{rank}: {loss.item()} {fingerprint(model)}\n", end="", flush=True)
