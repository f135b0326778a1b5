"""`fit` with validation, from a later epoch on, `evaluate` and `predict`; the user's list of callbacks stays as it is.

cirron.session
  epoch[1] | begins=1 | ends=1 | loss=… summary | mae=… summary | val_loss=… summary | val_mae=… summary
    step[0] | loss=… | mae=… | batch=0
    step[1] | loss=… | mae=… | batch=1
    evaluation | loss=… summary | mae=… summary
      step[0] | loss=… | mae=…
      step[1] | loss=… | mae=…
  epoch[2] | begins=2 | ends=2 | loss=… summary | mae=… summary | val_loss=… summary | val_mae=… summary
    step[0] | loss=… | mae=… | batch=0
    step[1] | loss=… | mae=… | batch=1
    evaluation | loss=… summary | mae=… summary
      step[0] | loss=… | mae=…
      step[1] | loss=… | mae=…
  evaluation | loss=… summary | mae=… summary
    step[0] | loss=… | mae=…
    step[1] | loss=… | mae=…
  prediction
    step[0]
    step[1]
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf
from common_keras import fingerprint, net, numbers

import cirron as ci

tf.config.experimental.enable_op_determinism()
ci.profile()
model = net(metrics=["mae"])
x, y = numbers()
scheduler = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
marks = keras.callbacks.LambdaCallback(
    on_epoch_begin=lambda epoch, logs: ci.mark("begins", epoch),
    on_train_batch_end=lambda batch, logs: ci.mark("batch", batch),
    on_epoch_end=lambda epoch, logs: ci.mark("ends", epoch),
)
callbacks = [scheduler, marks]
history = model.fit(
    x, y, batch_size=4, epochs=3, initial_epoch=1, validation_data=(x, y), callbacks=callbacks, verbose=0
)
print(history.history, callbacks == [scheduler, marks])
print(model.evaluate(x, y, batch_size=4, verbose=0), model.predict(x, batch_size=4, verbose=0).tolist())
print(fingerprint(model))
