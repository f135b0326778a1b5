"""A loss that is compiled, and once more for a batch of another size.

cirron.session
  forward
  epoch[0]
    step[0]
      data_load first=True
      loss | torch.compile='loss_of' compile_id='0/0' duration_ns=…
        forward
      backward | torch.compile='backward' compile_id='0/0' duration_ns=…
      optimizer_step
    step[1]
      data_load
      loss | torch.compile='loss_of' compile_id='0/1' duration_ns=… reason="0/0: tensor 'outputs' size…"
        forward
      backward | torch.compile='backward' compile_id='0/1' duration_ns=…
      optimizer_step
    step[2]
      data_load
      loss
        forward
      backward
      optimizer_step
"""

import torch
from common import fingerprint, net

import cirron as ci

ci.profile()
model = net()
model(torch.ones(1, 3))  # its class is known from here on
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def loss_of(outputs):
    return (outputs**2).mean()


compiled = torch.compile(loss_of, backend="aot_eager", dynamic=False)
sizes = [torch.ones(count, 3) for count in (2, 3, 3)]
for x in torch.utils.data.DataLoader(sizes, batch_size=None):
    with ci.scope("loss"):
        loss = compiled(model(x))
    loss.backward()
    optimizer.step()
print(loss.item(), fingerprint(model))
