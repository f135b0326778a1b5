"""Data in every form, on TensorFlow: of known and unknown length, several batches an execution, fetched by workers.

cirron.session
  epoch[0] | loss=… summary
    step[0] | loss=…
    step[1] | loss=…
    step[2] | loss=…
  epoch[0] | loss=… summary
    step[0] | loss=…
    step[1] | loss=…
  epoch[1] | loss=… summary
    step[0] | loss=…
    step[1] | loss=…
  epoch[0] | loss=… summary
    step[0] | loss=…
    step[1] | loss=…
    step[2] | loss=…
  epoch[0] | loss=… summary
    step[0] | loss=…
    step[1] | loss=…
    step[2] | loss=…
  data_load
  epoch[0] | loss=… summary
    step[0] | loss=…
    step[1] | loss=…
    step[2] | loss=…
  data_load
  data_load
  data_load
  epoch[0] | loss=… summary
    step[0] | loss=…
    step[2] | loss=…
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf
import torch
from common_keras import fingerprint, net, numbers

import cirron as ci

tf.config.experimental.enable_op_determinism()
ci.profile()
x, y = numbers(3)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return x[4 * index : 4 * index + 4], y[4 * index : 4 * index + 4]


def generated():
    for index in range(3):
        yield x[4 * index : 4 * index + 4], y[4 * index : 4 * index + 4]


model = net()
dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
model.fit(dataset, verbose=0)
model.fit(dataset.repeat(), steps_per_epoch=2, epochs=2, verbose=0)
model.fit(generated(), verbose=0)
model.fit(Batches(workers=2), shuffle=False, verbose=0)
tensors = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
model.fit(torch.utils.data.DataLoader(tensors, batch_size=4), verbose=0)
model.compile("sgd", "mse", steps_per_execution=2)
model.fit(dataset, verbose=0)
print(fingerprint(model))
