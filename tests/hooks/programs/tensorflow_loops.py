"""A loop of TensorFlow's own, eager and compiled; and `fit` with a step of the user's.

cirron.session
  epoch[0]
    batch[0] data_load_ns=… | loss=…
      forward
      backward
      optimizer_step
    batch[1] data_load_ns=… | loss=…
      forward
      backward
      optimizer_step
  epoch[0]
    batch[0] data_load_ns=… | loss=…
    batch[1] data_load_ns=… | loss=…
  epoch[0] | mine=… summary
    step[0] | mine=…
    step[1] | mine=…
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf
from common_keras import fingerprint, layers, net, numbers

import cirron as ci

tf.config.experimental.enable_op_determinism()
ci.profile()
model = net()
dataset = tf.data.Dataset.from_tensor_slices(numbers()).batch(4)


def train(x, y):
    with ci.scope("forward"), tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
    with ci.scope("backward"):
        gradients = tape.gradient(loss, model.trainable_weights)
    with ci.scope("optimizer_step"):
        model.optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
    return loss


@tf.function
def compiled(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
    gradients = tape.gradient(loss, model.trainable_weights)
    model.optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
    return loss


class Mine(keras.Sequential):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(self(x, training=True) - y))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"mine": loss}


for step in (train, compiled):
    for _ in ci.epochs(range(1)):
        for x, y in ci.batches(dataset):
            loss = step(x, y)
            ci.mark("loss", loss)
mine = Mine([keras.Input((3,)), *layers()])
mine.compile("sgd")
mine.fit(dataset, verbose=0)
print(fingerprint(model, mine))
