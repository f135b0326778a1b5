"""The spool: what a session recorded, as open JSON files; see docs/spool-format.md."""

from cirron.spool.files import SpoolFile, find_spool, list_files
from cirron.spool.heads import glance
from cirron.spool.live import open_spans
from cirron.spool.problem import Problem
from cirron.spool.reader import Reader, read
from cirron.spool.records import Batch, Mark, Snapshot, Span
from cirron.spool.recover import seal_dead_journals
from cirron.spool.runs import Run, runs
from cirron.spool.session_list import Session, sessions, summarize

__all__ = [
    "Batch",
    "Mark",
    "Problem",
    "Reader",
    "Run",
    "Session",
    "Snapshot",
    "Span",
    "SpoolFile",
    "find_spool",
    "glance",
    "list_files",
    "open_spans",
    "read",
    "runs",
    "seal_dead_journals",
    "sessions",
    "summarize",
]
