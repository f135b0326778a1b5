"""Mixed precision in float16, with a scaler for the gradients: where one overflows, no optimizer steps.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward autocast='float16'
      backward
      optimizer_step
    step[1]
      data_load
      forward autocast='float16'
      backward | nonfinite='loss' value='inf' | nonfinite='body.0.weight.grad'
    step[2]
      data_load
      forward
      backward
      optimizer_step
"""

import torch
from common import fingerprint, net, numbers

import cirron as ci

ci.profile()
model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
for number, (x, y) in enumerate(torch.utils.data.DataLoader(numbers(3), batch_size=4)):
    with torch.autocast("cpu", dtype=torch.float16, enabled=number < 2):
        loss = torch.nn.functional.mse_loss(model(x).float(), y)
    optimizer.zero_grad()
    scaler.scale(loss * (float("inf") if number == 1 else 1.0)).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
print(loss.item(), scaler.get_scale(), fingerprint(model))
