"""A plain ASGI application: no framework between the server and the functions that do the work.

python asgi_app.py 8000
curl 'localhost:8000/answer?question=why&request_id=r-1'
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import uvicorn

import cirron as ci


@ci.inference
def embed(text: str) -> list[float]:
    with ci.scope("tokenize"):
        words = text.split()
    ci.mark("words", len(words))
    return [float(len(word)) for word in words]


@ci.inference
async def answer(question: str, request_id: str) -> dict[str, Any]:
    with ci.scope("retrieve"):
        await asyncio.to_thread(embed, question)
    with ci.scope("generate"):
        await asyncio.sleep(0.01)
    return {"text": question[::-1], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}


@ci.inference
async def classify(question: str, request_id: str) -> str:
    embed(question)
    if question == "nonsense":
        raise ValueError("no such class")
    return "question"


@ci.inference
async def tokens(question: str, request_id: str) -> AsyncIterator[str]:
    for word in question.split():
        with ci.scope("step"):
            await asyncio.sleep(0.001)
        yield word


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    asked = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/stream":
        async for word in tokens(**asked):
            await send({"type": "http.response.body", "body": word.encode(), "more_body": True})
    else:
        handler = {"/answer": answer, "/classify": classify}[scope["path"]]
        await send(
            {"type": "http.response.body", "body": str(await handler(**asked)).encode(), "more_body": True}
        )
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    ci.profile()
    uvicorn.run(app, port=int(sys.argv[1]), log_level="critical", lifespan="off")
