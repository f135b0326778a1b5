"""The examples of `examples/serving`, each served by a real server on loopback to many clients at once."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from cirron.spool import read, seal_dead_journals
from inference.conftest import shapes_of, tree

EXAMPLES = Path(__file__).parents[2] / "examples" / "serving"
REQUESTS = 500
HUNG_S = 120

ANSWER = tree("""
    request function={answer} | prompt_tokens | completion_tokens | tokens_per_s
      retrieve
        request function=embed | words
          tokenize
      generate
""")
CLASSIFY = tree("""
    request function=classify
      request function=embed | words
        tokenize
""")
NONSENSE = CLASSIFY.replace("=classify", "=classify outcome=error error=ValueError")
STREAM = tree("""
    request function=tokens | completion_tokens | time_to_first_token_ns | inter_token_ns | tokens_per_s
      step
      step
      step
""")
LEFT = STREAM.replace("=tokens", "=tokens outcome=left")

KINDS = {
    "answer": ("/answer", "why is that"),
    "classify": ("/classify", "why is that"),
    "nonsense": ("/classify", "nonsense"),
    "stream": ("/stream", "why is that"),
    "left": ("/stream", "why is that..."),
}


@contextlib.contextmanager
def serving(example):
    """The URL of an example that is running, which is interrupted in the end as by Ctrl-C."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-P", str(EXAMPLES / example), str(port)]
    log = Path("server.log")  # not a pipe, which would fill up with what a server says of exceptions
    with log.open("w") as said, subprocess.Popen(command, stderr=said, stdout=said) as server:
        while not accepts(port):
            assert server.poll() is None, log.read_text()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(HUNG_S)


def accepts(port):
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


async def ask(client, kind, number):
    path, question = KINDS[kind]
    asked = {"question": question, "request_id": f"{kind}-{number}"}
    with contextlib.suppress(httpx.RemoteProtocolError):  # of a server that has no answer for an exception
        async with client.stream("GET", path, params=asked) as answered:
            async for text in answered.aiter_text():
                if kind == "left" and "..." in text:
                    return


async def ask_all(url, kinds):
    limits = httpx.Limits(max_connections=REQUESTS)
    async with httpx.AsyncClient(base_url=url, timeout=HUNG_S, limits=limits) as client:
        await asyncio.gather(*(ask(client, kinds[i % len(kinds)], i) for i in range(REQUESTS)))


def wait_until_all_have_ended():
    """A server learns only when it writes to a client that the client has left."""
    given_up_s = time.monotonic() + HUNG_S
    while len(ended := requests_in(read(".cirron").batches())) < REQUESTS:
        assert time.monotonic() < given_up_s, f"{len(ended)} of {REQUESTS} requests have ended"
        time.sleep(0.1)


def requests_in(batches):
    """The spans of what was asked of the server, without the requests that the answer made."""
    requests = [span for batch in batches for span in batch.spans if span.name == "request"]
    return [span for span in requests if not span.attrs["function"].endswith("embed")]


def recorded():
    """How often there is a tree of each shape, and each id of a request."""
    seal_dead_journals(".cirron")
    batches = list(read(".cirron").batches())
    spans = [span for batch in batches for span in batch.spans]
    return Counter(shapes_of(batches)), Counter(
        span.attrs["request_id"] for span in spans if span.name == "request"
    )


def left(shape):
    """With the two ways in which a server ends a stream that nobody reads taken for one."""
    return shape.replace("outcome=cancelled error=CancelledError", "outcome=left").replace(
        "outcome=closed", "outcome=left"
    )


@pytest.mark.parametrize(
    ("example", "kinds", "answer"),
    [
        ("fastapi_app.py", ["answer", "classify", "nonsense", "stream", "left"], "answer"),
        ("asgi_app.py", ["answer", "classify", "nonsense", "stream"], "answer"),
        ("flask_app.py", ["answer", "classify", "nonsense", "stream", "left"], "generate"),
    ],
)
def test_500_requests_at_once_give_500_exact_trees(example, kinds, answer):
    with serving(example) as url:
        asyncio.run(ask_all(url, kinds))
        wait_until_all_have_ended()
    shapes = {"answer": ANSWER.replace("{answer}", answer), "classify": CLASSIFY, "nonsense": NONSENSE}
    shapes |= {"stream": STREAM, "left": LEFT}
    found, ids = recorded()
    counts = Counter()
    for shape, count in found.items():
        counts[left(shape)] += count
    assert counts == {shapes[kind]: REQUESTS // len(kinds) for kind in kinds}
    assert set(ids.values()) == {1}
    given = {f"{kinds[i % len(kinds)]}-{i}" for i in range(REQUESTS)}
    passed_on = {
        each for each in given if example != "flask_app.py" or not each.startswith(("classify", "nonsense"))
    }
    assert passed_on <= ids.keys()


def test_the_pool_of_threads_keeps_its_share_and_all_that_fails():
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", str(EXAMPLES / "thread_pool.py")],
        capture_output=True, text=True, timeout=HUNG_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("498 scored; ")
    left_out = int(done.stdout.split("scored; ")[1].split()[0])
    shapes, _ = recorded()
    assert sum(shapes.values()) == 500 - left_out < 100
    assert sum(count for shape, count in shapes.items() if "outcome=error" in shape) == 2
