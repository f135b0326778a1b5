"""Writes down spans and marks by hand, as a session would have recorded them, with times in milliseconds."""

import itertools
from pathlib import Path

import msgspec

from cirron.spool.records import (
    Batch,
    BoolMark,
    FloatMark,
    Histogram,
    IntMark,
    Mark,
    Snapshot,
    Span,
    Stats,
    StringMark,
)

MS = 1_000_000
EPOCH_NS = 1_700_000_000_000_000_000
MARK_TYPES = {bool: BoolMark, int: IntMark, float: FloatMark, str: StringMark, type(None): FloatMark}
BUCKETS = Histogram(
    bins=[edge / 8 - 1 for edge in range(17)], counts=[0, 1, 2, 4, 8, 16, 32, 64, 64, 32, 16, 8, 4, 2, 1, 0]
)
STATS = Stats(mean=0.0, std=0.25, min=-0.875, max=0.875, norm=3.125, histogram=BUCKETS)


class Recording:
    """One session's records; ids count up, so that pictures of them are the same on every run.

    `of_batch` are fields of the batch, such as `rank`. Ids of one session begin alike where `id_head` is given.
    """

    def __init__(self, session_id: str | None = "5e" * 16, recovered=False, id_head=0, **of_batch):
        self.session_id = session_id
        self.recovered = recovered
        self.of_batch = of_batch
        self.ids = (f"{id_head:016x}{number:016x}" for number in itertools.count(1))
        self.spans: list[Span] = []
        self.marks: list[Mark] = []
        self.snapshots: list[Snapshot] = []
        self.marks_of: dict[str, list[str]] = {}

    def session(self, start, end, **attrs):
        return self.span("cirron.session", start, end, parent=None, id=self.session_id, **attrs)

    def span(self, name, start, end, parent="session", index=None, id=None, attrs=None, **fields):
        """A span; `parent` is an id, None, or by default the session."""
        record = Span(
            id=id or next(self.ids),
            name=name,
            parent_id=self.session_id if parent == "session" else parent,
            index=index,
            start_ns=EPOCH_NS + round(start * MS),
            end_ns=None if end is None else EPOCH_NS + round(end * MS),
            attrs=attrs or {},
            mark_ids=[],
            **dict(cpu_ns=None, gpu_ns=None, memory_peak_bytes=None, thread_id=1, pid=7, rank=0) | fields,
        )
        self.spans.append(record)
        return record.id

    def mark(self, span_id, name, value, at=0.0, kind="point", **fields):
        record = MARK_TYPES[type(value)](
            id=next(self.ids),
            span_id=span_id,
            name=name,
            value=value,
            attrs={},
            ts_ns=EPOCH_NS + round(at * MS),
            kind=kind,
            **fields,
        )
        self.marks.append(record)
        self.marks_of.setdefault(span_id, []).append(record.id)
        return record.id

    def snapshot(self, span_id, tensor_name, at=0.0, shape=(4, 4), mode="stats", **fields):
        """Statistics of a tensor; its values, if any, are in the file that `blob_uri` names."""
        plain = dict(dtype="float32", stats=STATS, blob_uri=None, attrs={})
        record = Snapshot(
            id=next(self.ids),
            span_id=span_id,
            tensor_name=tensor_name,
            shape=list(shape),
            mode=mode,
            ts_ns=EPOCH_NS + round(at * MS),
            **plain | fields,
        )
        self.snapshots.append(record)
        return record.id

    def batch(self, number=1) -> Batch:
        return Batch(
            schema_version=1,
            sdk_version="1.0.0",
            batch_id=f"{self.session_id or ''}{number:032x}"[-32:],
            created_ns=EPOCH_NS + number,
            spans=[self._with_mark_ids(span) for span in self.spans],
            marks=self.marks,
            snapshots=self.snapshots,
            session_id=self.session_id,
            recovered=self.recovered,
            **self.of_batch,
        )

    def _with_mark_ids(self, span):
        return msgspec.structs.replace(span, mark_ids=self.marks_of.get(span.id, []))

    def write(self, spool: Path, number=1) -> Path:
        """Seal the records as a batch file."""
        batch = self.batch(number)
        spool.mkdir(parents=True, exist_ok=True)
        path = spool / f"{batch.created_ns:020}-{batch.batch_id}.json"
        path.write_bytes(msgspec.json.encode(batch))
        return path


def write_tensors(output_dir: Path, span_id: str, kind="weights", **tensors) -> str:
    """Write arrays into a snapshot file of the span, dots for two underscores in their names; its URI."""
    from safetensors.numpy import save_file

    uri = f"snapshots/{span_id}/{kind}.safetensors"
    (output_dir / uri).parent.mkdir(parents=True, exist_ok=True)
    save_file({name.replace("__", "."): values for name, values in tensors.items()}, output_dir / uri)
    return uri


def training(epochs=3, steps=200, recording=None) -> Recording:
    """A run of so many epochs and steps: the shape that the documents show."""
    run = recording or Recording()
    clock = 0.0
    for epoch in range(epochs):
        began, epoch_id = clock, next(run.ids)
        for step in range(steps):
            step_id = next(run.ids)
            load, work = 1 + step % 5, 10
            run.span("data_load", clock, clock + load, parent=step_id)
            run.span("forward", clock + load, clock + load + work * 0.4, parent=step_id)
            run.span("backward", clock + load + work * 0.4, clock + load + work, parent=step_id)
            run.span("step", clock, clock + load + work, parent=epoch_id, index=step, id=step_id)
            run.mark(step_id, "loss", 1 / (1 + epoch * steps + step), at=clock)
            run.mark(step_id, "cirron.overhead_ns", 600, at=clock, kind="summary")
            clock += load + work
        run.span("evaluate", clock, clock + 20, parent=epoch_id)
        clock += 20
        run.span("epoch", began, clock, index=epoch, id=epoch_id)
        run.mark(epoch_id, "accuracy", 0.8 + epoch / 20, at=clock, kind="summary")
    run.session(0, clock, attrs={"cirron.ended": "completed"})
    return run
