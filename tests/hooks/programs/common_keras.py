"""What the programs for Keras have in common: a little data, a little model, and a fingerprint of what was learned."""

import hashlib

import keras
import numpy as np


def numbers(batches=2, batch_size=4):
    """As many batches of `x` and `y`, in arrays."""
    random = np.random.default_rng(1)
    count = batches * batch_size
    return random.random((count, 3), "float32"), random.random((count, 1), "float32")


def layers():
    """Two dense layers, the same at each start."""
    keras.utils.set_random_seed(2)
    return [keras.layers.Dense(5, activation="relu", name="body"), keras.layers.Dense(1, name="head")]


def net(**options):
    """A model that is ready for `fit`."""
    model = keras.Sequential([keras.Input((3,)), *layers()])
    model.compile("sgd", "mse", **options)
    return model


def fingerprint(*models):
    """Every bit of every weight."""
    digest = hashlib.sha256()
    for model in models:
        for weight in model.get_weights():
            digest.update(weight.tobytes())
    return digest.hexdigest()
