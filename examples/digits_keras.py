"""Train a network with Keras: one line records what `fit` and `evaluate` do, and what they log."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # or "tensorflow"

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cirron as ci

ci.profile()

images, digits = load_digits(return_X_y=True)
train, test, train_digits, test_digits = train_test_split(images / 16, digits, random_state=0)

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.layers.Dense(96, activation="relu"), keras.layers.Dense(10)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
model.fit(train, train_digits, batch_size=100, epochs=3, validation_split=0.1, verbose=0)
_, accuracy = model.evaluate(test, test_digits, batch_size=100, verbose=0)

print(f"{accuracy:.1%} of the test digits are read correctly. Where the time went:\n")
ci.trace()
