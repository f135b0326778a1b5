"""Loops end with `break`, at the end of what is beside them and by exceptions, though something holds their iterators.

cirron.session
  epoch[0]
    step[0]
      data_load first=True
      forward
      evaluation
        step[0]
          data_load first=True
          forward
  evaluation
    step[0]
      data_load first=True
      forward
  epoch[1]
    step[0]
      data_load first=True
      forward
      evaluation
        step[0]
          data_load first=True
          forward
  evaluation
    step[0]
      data_load first=True
      forward
  epoch[2]
    step[0]
      data_load first=True
      data_load first=True
      forward
    step[1]
      data_load
  evaluation
    step[0]
      data_load first=True
      forward
  epoch[3]
    step[0]
      data_load first=True
      forward
  evaluation
    step[0]
      data_load first=True
      forward
"""

import torch
from common import fingerprint, net, numbers
from tqdm import tqdm

import cirron as ci

ci.profile()
model = net()
training, short = (torch.utils.data.DataLoader(numbers(count), batch_size=4) for count in (3, 1))


def evaluate():
    with torch.no_grad():
        for x, _ in short:
            model(x)


for _ in range(2):
    bar = tqdm(enumerate(training), disable=True)
    for _, (x, _) in bar:
        model(x)
        try:
            raise ValueError
        except ValueError:
            evaluate()
        break
    evaluate()

pairs = zip(training, short, strict=False)
for (x, _), _ in pairs:
    model(x)
evaluate()


def fail():
    batches = iter(training)
    for x, _ in batches:
        model(x)
        raise ValueError


failures = []
try:
    fail()
except ValueError as error:
    failures.append(error)
evaluate()
print(fingerprint(model), len(failures))
