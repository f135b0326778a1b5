"""Snapshots: what tensors look like, taken from models, and read from a spool and the files with their values."""

from cirron.snapshots.export import SUFFIXES, export
from cirron.snapshots.listing import Taken, list_snapshots
from cirron.snapshots.span_pattern import SpanPattern, short_span_ids
from cirron.snapshots.taking import Taking
from cirron.snapshots.tensor_file import TensorFile
from cirron.snapshots.watched import Watched

__all__ = [
    "SUFFIXES",
    "SpanPattern",
    "Taken",
    "Taking",
    "TensorFile",
    "Watched",
    "export",
    "list_snapshots",
    "short_span_ids",
]
