"""A service on FastAPI, each request of it with a scope tree of its own.

    python fastapi_app.py 8000
    curl 'localhost:8000/answer?question=why&request_id=r-1'
    curl -N 'localhost:8000/stream?question=why&request_id=r-2'

Stop it with Ctrl-C, and look at what it did: `cirron traces view`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

import cirron as ci

app = FastAPI()


@ci.inference
def embed(text: str) -> list[float]:
    with ci.scope("tokenize"):
        words = text.split()
    ci.mark("words", len(words))
    return [float(len(word)) for word in words]


@app.get("/answer")
@ci.inference
async def answer(question: str, request_id: str | None = None) -> dict[str, object]:
    with ci.scope("retrieve"):
        await asyncio.to_thread(embed, question)  # a call within the request: its child
    with ci.scope("generate"):
        await asyncio.sleep(0.01)
    return {"text": question[::-1], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}


@app.get("/classify")
@ci.inference
def classify(question: str, request_id: str | None = None) -> str:  # FastAPI runs it in a thread
    embed(question)
    if question == "nonsense":
        raise ValueError("no such class")
    return "question"


@ci.inference
async def tokens(question: str, request_id: str | None) -> AsyncIterator[str]:
    for word in question.split():
        with ci.scope("step"):
            await asyncio.sleep(0.001)
        yield word
    while question.endswith("..."):  # until the reader has had enough
        await asyncio.sleep(0.01)
        yield "..."


@app.get("/stream")
async def stream(question: str, request_id: str | None = None) -> StreamingResponse:
    return StreamingResponse(tokens(question, request_id), media_type="text/plain")


if __name__ == "__main__":
    ci.profile()
    uvicorn.run(app, port=int(sys.argv[1]), log_level="critical")
