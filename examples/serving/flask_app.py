"""A service on Flask, whose server has a thread for each request.

python flask_app.py 8000
curl 'localhost:8000/answer?question=why&request_id=r-1'
"""

import sys
import time
from collections.abc import Iterator

from flask import Flask, Response, request

import cirron as ci

app = Flask(__name__)


@ci.inference
def embed(text: str) -> list[float]:
    with ci.scope("tokenize"):
        words = text.split()
    ci.mark("words", len(words))
    return [float(len(word)) for word in words]


@ci.inference
def generate(question: str, request_id: str) -> dict[str, object]:
    with ci.scope("retrieve"):
        embed(question)
    with ci.scope("generate"):
        time.sleep(0.01)
    return {"text": question[::-1], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}


@app.get("/answer")
def answer() -> dict[str, object]:
    return generate(**request.args)


@app.get("/classify")
@ci.inference  # here the id is a new one: the view has no argument of that name
def classify() -> str:
    embed(request.args["question"])
    if request.args["question"] == "nonsense":
        raise ValueError("no such class")
    return "question"


@ci.inference
def tokens(question: str, request_id: str) -> Iterator[str]:
    for word in question.split():
        with ci.scope("step"):
            time.sleep(0.001)
        yield word
    while question.endswith("..."):  # until the reader has had enough
        time.sleep(0.01)
        yield "..."


@app.get("/stream")
def stream() -> Response:
    return Response(tokens(**request.args), mimetype="text/plain")


if __name__ == "__main__":
    ci.profile()
    app.run(port=int(sys.argv[1]), threaded=True)
