"""Exports a spool as the command does, and records a spool that has something of everything."""

import io
from pathlib import Path

from cirron.export import Sink, Source
from cirron.spool import glance, read, runs, summarize
from support.recording import MS, Recording
from support.spool_files import SESSION_ID, batch, mark, put, session_span, snapshot, span

SPOOL = Path(".cirron/spool")
LAST_NS = 2**63 - 1
HOSTILE = [
    "quote \" apostrophe ' backslash \\",
    "comma, semicolon; tab\t",
    "line\nfeed, carriage\rreturn, \r\nboth",
    "</script><!-- <script>",
    "\x00\x01\x1b[31m\x7f\u2028\u2029\u202e",
    "emoji 🔥 and 漢字",
    "=1+1",
    "",
]
DEEP = {"a": [{"b": [1, 2.5, None, True, {"c": "d"}]}], "empty": {}, "none": None}


def source(spool=SPOOL, session=None) -> Source:
    """The newest run, or one session of it."""
    found = glance(read(spool))
    run = runs([each for each in found if session in (None, each.id)])[-1]
    reader = read(spool, frozenset(each.id for each in run.sessions))
    return Source(run, summarize(reader), reader)


def as_bytes(write, spool=SPOOL, session=None) -> bytes:
    """What a format writes into its file."""
    file = io.BytesIO()
    write(source(spool, session), Sink(file))
    return file.getvalue()


def in_folder(write, spool=SPOOL) -> Path:
    """The folder that a format has filled."""
    folder = Path("exported")
    folder.mkdir()
    write(source(spool), folder)
    return folder


def hostile_spool() -> list[str]:
    """A spool in which every text and number is one that a format may stumble over; returns the spans' names."""
    SPOOL.mkdir(parents=True)
    names = list(HOSTILE)
    spans = [
        span(number, name, attrs={name: name, "deep": DEEP, "negative": -5, "beyond": 2**70})
        for number, name in enumerate(names, start=16)
    ]
    spans.append(span(100, "last", start_ns=LAST_NS, end_ns=LAST_NS, index=-(2**63), thread_id=2**64))
    spans.append(span(101, "huge", attrs={"text": "x" * 3_000_000}))
    put(SPOOL, batch(1, spans=[*spans, session_span(end_ns=LAST_NS)], marks=_marks(), snapshots=[
        snapshot(300, 'w"\n', attrs={"k": "v"}),
        snapshot(301, "scalar", shape=[], stats=None, blob_uri="snapshots/x/weights.safetensors"),
    ]))  # fmt: skip
    return [*names, "last", "huge", "cirron.session"]


def _marks():
    values = [
        (0.5, "float"),
        (-7, "int"),
        (2**70, "int"),
        ("a\n\"b'", "string"),
        (True, "bool"),
        (None, "float"),
        ("", "string"),
    ]
    marks = [mark(200 + number, f"m{number}", *value) for number, value in enumerate(values)]
    for number, word in enumerate(("nan", "inf", "-inf"), start=220):
        marks.append(mark(number, word, None, value_nonfinite=word))
    return marks


def two_ranks_and_a_worker() -> None:
    """A run of two ranks on hosts that gave both the same pid, of which the first has a worker."""
    for number, whose in enumerate(
        [
            dict(session_id="a0" * 16, rank=0, host="north", pid=7),
            dict(session_id="a1" * 16, rank=1, host="south", pid=7),
            dict(session_id="b0" * 16, rank=0, host="north", pid=8, worker="0", parent_session_id="a0" * 16),
        ]
    ):
        session_id = whose.pop("session_id")
        recording = Recording(session_id, id_head=number + 1, world_size=2, run_id="run-42", **whose)
        step = recording.span("step", 1, 4, pid=whose["pid"], rank=whose["rank"])
        recording.span("forward", 1, 2, parent=step, pid=whose["pid"], rank=whose["rank"])
        recording.mark(step, "loss", 0.5 + number, at=2)
        recording.session(0, 10, pid=whose["pid"], rank=whose["rank"])
        recording.write(SPOOL, number)


def killed() -> None:
    """A session that was killed in its second epoch, as its recovery leaves it."""
    recording = Recording(recovered=True)
    recording.span("epoch", 1, 4, index=0)
    epoch = recording.span("epoch", 4, None, index=1, attrs={"cirron.interrupted": True})
    recording.span("step", 5, 6, parent=epoch)
    recording.mark(epoch, "loss", 0.25, at=7)
    recording.session(0, None, attrs={"cirron.interrupted": True, "cirron.ended": "killed"})
    recording.write(SPOOL)


def third_party() -> None:
    """Batches as another writer makes them: no session, keys in another order, and some that we do not know."""
    SPOOL.mkdir(parents=True)
    for number, spans in ((1, [span(16, "load")]), (2, [session_span()])):
        content = {
            "later": [1],
            "snapshots": [],
            "marks": [],
            "spans": [each | {"new": {}} for each in spans],
        }
        bare = batch(number)
        kept = ("batch_id", "created_ns", "sdk_version", "schema_version")
        put(SPOOL, content | {key: bare[key] for key in kept})


__all__ = [
    "DEEP", "HOSTILE", "LAST_NS", "MS", "SESSION_ID", "SPOOL", "as_bytes", "hostile_spool", "in_folder", "killed",
    "source", "third_party", "two_ranks_and_a_worker",
]  # fmt: skip
