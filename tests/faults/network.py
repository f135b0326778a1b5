"""Servers that are not there, or not well."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from faults import server
from faults.endings import send_soon
from faults.fault import Fault, Found

TRAIN = """
ci.profile(flush_interval=0.05)
train(300); ci.flush()
moment("met")
train(300); ci.flush()
train(100)
print("trained")
"""

# Where nobody can tell from outside that the program has met the fault.
TRAIN_UNTIL_FAILED = """
ci.profile(flush_interval=0.05)
train(300); ci.flush()
until(lambda: ci.health()["delivery"]["failure_count"] >= 2)
train(100); print("trained")
"""

TRAIN_THROUGH_STORM = """
ci.profile(flush_interval=0.5)
def is_over():
    delivery = ci.health()["delivery"]
    return delivery["sent_count"] and not delivery["backlog_count"]
until(is_over, pause_s=0.05)
train(100); print("trained")
"""

STORM_S = 150 if os.environ.get("CIRRON_LONG") == "1" else 2

OK_AGAIN = 2  # bad answers, after which a storm has passed


def passing(name: str, cause: str, answer: server.Answer, warning: str, **options: object) -> Fault:
    """A fault that the program outlives: in the end everything is with the server."""
    return Fault(
        name,
        cause,
        TRAIN,
        (warning,),
        server=server.bad(answer, OK_AGAIN),
        at={"met": server.requests(OK_AGAIN + 1)},
        check=_all_is_delivered,
        **options,
    )


def lasting(name: str, cause: str, serving: server.Serving, warning: str, **options: object) -> Fault:
    """A fault that outlasts the program: what the server has not is in the spool."""
    options = {"check": _nothing_is_delivered, "at": {"met": server.requests(2)}} | options
    return Fault(name, cause, options.pop("program", TRAIN), (warning,), server=serving, **options)


def _all_is_delivered(found: Found) -> Iterator[str]:
    delivery = found.health.get("delivery") or {}
    if delivery.get("backlog_count") or not delivery.get("sent_count"):
        yield f"health() says of the delivery: {delivery}"


def _nothing_is_sent(found: Found) -> Iterator[str]:
    delivery = found.health.get("delivery") or {}
    if not delivery.get("backlog_count") or delivery.get("sent_count"):
        yield f"health() says of the delivery: {delivery}"


def _nothing_is_delivered(found: Found) -> Iterator[str]:
    yield from _nothing_is_sent(found)
    if not (found.health.get("delivery") or {}).get("last_error"):
        yield "health() does not say why nothing is delivered"


def _delivery_is_stopped(found: Found) -> Iterator[str]:
    if not (found.health.get("delivery") or {}).get("stopped"):
        yield f"health() says of the delivery: {found.health.get('delivery')}"


def _something_is_rejected(found: Found) -> Iterator[str]:
    if (found.health.get("delivery") or {}).get("rejected_count") != 1:
        yield f"health() says of the delivery: {found.health.get('delivery')}"


def _later() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)


WAY_OUT = r"(?=.*cirron spool flush)"

FAULTS = [
    Fault(
        "a good server",
        "for comparison",
        TRAIN,
        server=server.bad(server.accept),
        at={"met": server.batches(1)},
        check=_all_is_delivered,
    ),
    lasting(
        "server down",
        "nobody listens at its port",
        server.down,
        WAY_OUT + r".*refused",
        program=TRAIN_UNTIL_FAILED,
    ),
    lasting(
        "unknown host",
        "a name that is not in the DNS",
        server.unknown_host,
        WAY_OUT,
        program=TRAIN_UNTIL_FAILED,
    ),
    lasting(
        "proxy down",
        "`HTTPS_PROXY` at a port where nobody listens",
        server.behind_a_dead_proxy,
        WAY_OUT,
        program=TRAIN_UNTIL_FAILED,
    ),
    lasting(
        "wrong certificate",
        "TLS, signed by nobody",
        server.with_wrong_certificate,
        WAY_OUT + r".*[Cc]ertificate",
    ),
    lasting(
        "server hangs",
        "takes requests and never answers",
        server.bad(server.hang),
        WAY_OUT,
        check=_nothing_is_sent,
        at={"met": server.requests(1)},
    ),
    passing("server hangs up", "closes instead of answering", server.hang_up, WAY_OUT),
    passing("server half-closes", "takes a batch and breaks off in its answer", server.half_close, WAY_OUT),
    passing("server answers garbage", "2 KB that are no HTTP", server.talk_nonsense, WAY_OUT),
    Fault(
        "server is slow",
        "10 ms for each byte of its answer",
        TRAIN,
        server=server.bad(server.crawl),
        at={"met": server.batches(1)},
    ),
    passing(
        "500 for a while",
        "two answers, then 200",
        server.say("500 Internal Server Error"),
        WAY_OUT + r".*500",
    ),
    passing(
        "503 for a while",
        "with `Retry-After: 1`",
        server.say("503 Service Unavailable", "Retry-After: 1"),
        WAY_OUT + r".*503",
    ),
    passing(
        "429 for a while",
        "with a date in `Retry-After`",
        server.say("429 Too Many Requests", f"Retry-After: {_later()}"),
        WAY_OUT + r".*429",
    ),
    Fault(
        "killed while it delivers",
        "SIGKILL, and a server that is slow",
        "ci.profile(flush_interval=0.01)\ntrain(300); ci.flush(); moment('met'); train_on()\n",
        server=server.bad(server.crawl),
        at={"met": send_soon(signal.SIGKILL)},
        ended=("killed",),
        lanes=1,
        steps=400_000,
    ),
    Fault(
        "SIGTERM while the server hangs",
        "in the middle of a request",
        "ci.profile(flush_interval=0.05); train(300); ci.flush()\n"
        "moment('met'); moment('training'); train_on()\n",
        perhaps=(WAY_OUT,),
        server=server.bad(server.hang),
        at={"met": server.requests(1), "training": send_soon(signal.SIGTERM)},
        ended=("signal: SIGTERM",),
        lanes=1,
        steps=400_000,
    ),
    Fault(
        "development mode, sending",
        "`python -X dev -W error`",
        TRAIN,
        server=server.bad(server.accept),
        at={"met": server.batches(1)},
        check=_all_is_delivered,
        options=("-X", "dev", "-W", "error"),
    ),
    Fault(
        "development mode, and a server that hangs",
        "`python -X dev -W error`",
        TRAIN,
        (WAY_OUT,),
        server=server.bad(server.hang),
        at={"met": server.requests(1)},
        check=_nothing_is_sent,
        options=("-X", "dev", "-W", "error"),
    ),
    Fault(
        "os.fork while it delivers",
        "ten children that train and leave by `os._exit`",
        "ci.profile(flush_interval=0.02); train(300); ci.flush(); moment('met')\n"
        "for lane in range(1, 11):\n"
        "    child = os.fork()\n"
        "    if child == 0: train(50, lane); os._exit(0)\n"
        "    train(50); ci.flush()\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
        "print('trained')\n",
        perhaps=(WAY_OUT,),  # the server is slower than the end of the program
        server=server.bad(server.crawl),
        at={"met": server.requests(1)},
        ended=("completed", *("killed",) * 10),
        lanes=11,
    ),
    Fault(
        "a storm",
        f"429, 500, 502 and 503 in turn, for {STORM_S} s",
        TRAIN_THROUGH_STORM,
        (WAY_OUT,),
        server=server.bad(server.storm, times=0, seconds=STORM_S),
        check=_all_is_delivered,
        lanes=1,
        steps=100_000,
        hung_s=STORM_S + 120,
    ),
    lasting(
        "500 without end",
        "each answer",
        server.bad(server.say("500 Internal Server Error")),
        WAY_OUT + r".*500",
    ),
    lasting(
        "429 without end",
        "each answer, `Retry-After: 1`",
        server.bad(server.say("429 Too Many Requests", "Retry-After: 1")),
        WAY_OUT + r".*429",
    ),
    lasting(
        "redirect",
        "302 to another host",
        server.bad(server.say("302 Found", "Location: https://elsewhere.invalid/")),
        WAY_OUT + r".*elsewhere\.invalid",
        at={"met": server.requests(1)},
    ),
    lasting(
        "no such route",
        "404",
        server.bad(server.say("404 Not Found")),
        WAY_OUT + r".*404",
        at={"met": server.requests(1)},
    ),
    lasting(
        "key refused",
        "401",
        server.bad(server.say("401 Unauthorized")),
        r"CIRRON_API_KEY",
        at={"met": server.requests(1)},
        check=_delivery_is_stopped,
    ),
    Fault(
        "no HTTP library",
        "`httpx` cannot be imported",
        "sys.modules['httpx'] = None\n" + TRAIN.replace("moment('met')", ""),
        (WAY_OUT + r".*httpx",),
        server=server.bad(server.accept),
    ),
    Fault(
        "a batch rejected",
        "400 to one batch",
        TRAIN,
        (r"(?=.*rejected).*400",),
        server=server.bad(server.say("400 Bad Request"), 1),
        at={"met": server.requests(1)},
        check=_something_is_rejected,
    ),
]
