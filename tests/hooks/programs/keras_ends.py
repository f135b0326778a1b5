"""Runs that end early: by a callback, by exceptions, by Ctrl-C; and runs within runs.

cirron.session
  build
    data_load
  epoch[0] | loss=… summary
    step[0] | loss=…
      data_load first=True
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
  epoch[0] error='KeyboardInterrupt'
    step[0] error='KeyboardInterrupt'
      data_load first=True
  build
    data_load
  epoch[0] error='ArithmeticError'
    step[0] error='ArithmeticError'
      data_load first=True
      forward
      backward
      optimizer_step
  epoch[0] | loss=… summary
    step[0] | loss=…
      data_load first=True
      forward
      backward
      optimizer_step
      evaluation | loss=… summary
        build
          data_load
        step[0] | loss=…
          data_load first=True
          forward
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
from common_keras import fingerprint, net, numbers

import cirron as ci

ci.profile()
x, y = numbers()


def fit(model, **options):
    model.fit(x, y, batch_size=4, verbose=0, **options)


def on(**methods):
    return {"callbacks": [keras.callbacks.LambdaCallback(**methods)]}


def stop(*_, **__):
    model.stop_training = True


def interrupt(*_, **__):
    raise KeyboardInterrupt


class Broken(keras.Sequential):
    def train_step(self, data):
        super().train_step(data)
        raise ArithmeticError


model, other = net(), net()
fit(model, epochs=3, **on(on_train_batch_end=stop))
fit(model, epochs=3, **on(on_epoch_end=stop))
try:
    fit(model, **on(on_train_batch_begin=interrupt))
except KeyboardInterrupt:
    print("interrupted")
broken = Broken([model])
broken.compile("sgd", "mse")
try:
    fit(broken)
except ArithmeticError:
    print("broken")
fit(model, **on(on_train_batch_end=lambda batch, logs: batch == 0 and other.evaluate(x, y, verbose=0)))
fit(model, **on(on_epoch_end=lambda epoch, logs: fit(other)))
nested = keras.callbacks.CallbackList([], model=model)
fit(model, callbacks=[nested])
print(fingerprint(model, other))
