"""Requests from a queue, served by a pool of threads: `python thread_pool.py`, then `cirron traces view`."""

import time
from concurrent.futures import ThreadPoolExecutor

import cirron as ci


@ci.inference
def embed(text: str) -> list[float]:
    with ci.scope("tokenize"):
        words = text.split()
    ci.mark("words", len(words))
    return [float(len(word)) for word in words]


# A tenth of them is kept, and each one that fails or takes half a second.
@ci.inference(sample_rate=0.1, slow_s=0.5)
def score(text: str, request_id: str) -> float:
    with ci.scope("retrieve"):
        vector = embed(text)
    with ci.scope("score"):
        time.sleep(0.001)
    return sum(vector) / len(vector)  # an empty text fails


if __name__ == "__main__":
    ci.profile()
    texts = ["a question of some words", "another"] * 249 + [""] * 2
    with ThreadPoolExecutor(16) as pool:
        scores = [pool.submit(score, text, f"r-{number}") for number, text in enumerate(texts)]
    print(sum(each.exception() is None for each in scores), "scored;", end=" ")
    print(ci.health()["request_left_out_count"], "requests left out")
    ci.trace(last=3)
