"""Loops of the user's around and in place of `fit`, on the torch backend.

cirron.session
  epoch[0] | loss=… summary
    build
      data_load
    step[0] | loss=…
      data_load first=True
      forward
      backward
      optimizer_step
    evaluation | loss=… summary
      step[0] | loss=…
        data_load first=True
        forward
  epoch[1] | loss=… summary
    step[0] | loss=…
      data_load first=True
      forward
      backward
      optimizer_step
    evaluation | loss=… summary
      step[0] | loss=…
        data_load first=True
        forward
  epoch[0]
    batch[0]
      forward
      backward
      optimizer_step
    batch[1]
      forward
      backward
      optimizer_step
  epoch[0]
    step[0]
      data_load first=True
      forward
      backward
      optimizer_step
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import torch
from common_keras import fingerprint, net, numbers

import cirron as ci

ci.profile()
x, y = numbers(1)
model = net()
for _ in ci.epochs(range(2)):
    model.fit(x, y, verbose=0)
    model.evaluate(x, y, verbose=0)
for _ in ci.epochs(range(1)):
    for _ in ci.batches(range(2)):
        print(model.train_on_batch(x, y))
tensors = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
loss_of = keras.losses.MeanSquaredError()
for inputs, targets in torch.utils.data.DataLoader(tensors, batch_size=4):
    model.zero_grad()
    loss = loss_of(targets, model(inputs))
    loss.backward()
    with torch.no_grad():
        weights = model.trainable_weights
        model.optimizer.apply([weight.value.grad for weight in weights], weights)
print(fingerprint(model))
