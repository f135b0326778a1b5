"""Data in every form, on torch: of known and unknown length, and fetched by workers.

cirron.session
  build
    data_load
  epoch[0] | loss=… summary
    step[0] | loss=…
      data_load first=True
      forward
      backward
      optimizer_step
    step[1] | loss=…
      data_load
      forward
      backward
      optimizer_step
  epoch[1] | loss=… summary
    step[0] | loss=…
      data_load first=True
      forward
      backward
      optimizer_step
    step[1] | loss=…
      data_load
      forward
      backward
      optimizer_step
  epoch[0] | loss=… summary
    step[0] | loss=…
      data_load first=True
      forward
      backward
      optimizer_step
    step[1] | loss=…
      data_load
      forward
      backward
      optimizer_step
  epoch[0] | loss=… summary
    step[0] | loss=…
      data_load first=True
      forward
      backward
      optimizer_step
    step[1] | loss=…
      data_load
      forward
      backward
      optimizer_step
  epoch[0] | loss=… summary
    step[0] | loss=…
      data_load first=True
      forward
      backward
      optimizer_step
    step[1] | loss=…
      data_load
      forward
      backward
      optimizer_step
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import tensorflow as tf
import torch
from common_keras import fingerprint, net, numbers

import cirron as ci

ci.profile()
x, y = numbers(2)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return x[4 * index : 4 * index + 4], y[4 * index : 4 * index + 4]


def generated():
    for index in range(2):
        yield x[4 * index : 4 * index + 4], y[4 * index : 4 * index + 4]


model = net()
tensors = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
model.fit(torch.utils.data.DataLoader(tensors, batch_size=4, num_workers=2), epochs=2, verbose=0)
model.fit(generated(), verbose=0)
model.fit(Batches(workers=2), shuffle=False, verbose=0)
model.fit(tf.data.Dataset.from_tensor_slices((x, y)).batch(4), verbose=0)
print(fingerprint(model))
