"""`fit` on the torch backend, of a model whose shapes are not known before; what torch does is in it, once.

cirron.session
  build
    data_load
  epoch[0] | loss=… summary | val_loss=… summary
    step[0] | loss=…
      data_load first=True
      forward
      backward
      optimizer_step
    evaluation | loss=… summary
      step[0] | loss=…
        data_load first=True
        forward
  epoch[0] | loss=… summary | val_loss=… summary
    step[0] | loss=…
      data_load first=True
      forward
      backward
      optimizer_step
    evaluation | loss=… summary
      step[0] | loss=…
        data_load first=True
        forward
  evaluation | loss=… summary
    step[0] | loss=…
      data_load first=True
      forward
  prediction
    step[0]
      data_load first=True
      forward
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
from common_keras import fingerprint, layers, numbers

import cirron as ci

ci.profile()
model = keras.Sequential(layers())
model.compile("adam", "mse")
x, y = numbers()
for _ in range(2):
    print(model.fit(x, y, batch_size=4, validation_split=0.5, verbose=0).history)
print(model.evaluate(x, y, batch_size=8, verbose=0), model.predict(x, batch_size=8, verbose=0).tolist())
print(fingerprint(model))
