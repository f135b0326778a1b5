"""Train a small network on handwritten digits, and see where the time went."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cirron as ci

ci.profile()

with ci.scope("prepare"):
    images, digits = load_digits(return_X_y=True)
    train, test, train_digits, test_digits = train_test_split(images / 16, digits, random_state=0)
    rng = np.random.default_rng(0)
    hidden_weights = rng.normal(0, 0.2, (64, 96))
    output_weights = rng.normal(0, 0.2, (96, 10))


def forward(x):
    hidden = np.maximum(x @ hidden_weights, 0)
    scores = np.exp(hidden @ output_weights)
    return hidden, scores / scores.sum(axis=1, keepdims=True)


for _ in ci.epochs(range(10)):
    for rows in ci.batches(np.array_split(rng.permutation(len(train)), 42)):
        with ci.scope("data_load"):
            x, y = train[rows], np.eye(10)[train_digits[rows]]
        with ci.scope("forward"):
            hidden, guess = forward(x)
            ci.mark("loss", -np.log(guess[y == 1]).mean())
        with ci.scope("backward"):
            error = (guess - y) / len(x)
            hidden_error = (error @ output_weights.T) * (hidden > 0)
        with ci.scope("optimizer_step"):
            output_weights -= 0.5 * hidden.T @ error
            hidden_weights -= 0.5 * x.T @ hidden_error
    with ci.scope("evaluate"):
        accuracy = (forward(test)[1].argmax(axis=1) == test_digits).mean()
    ci.mark("accuracy", accuracy, kind="summary")

print(f"{accuracy:.1%} of the test digits are read correctly. Where the time went:\n")
ci.trace()
