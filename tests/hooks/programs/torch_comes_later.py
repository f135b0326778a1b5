"""torch is imported after profile().

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
"""

import cirron as ci

ci.profile()

import torch  # noqa: E402
from common import fingerprint, net, numbers  # noqa: E402

model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x, y in torch.utils.data.DataLoader(numbers(1), batch_size=4):
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()
print(fingerprint(model))
