"""Snapshots: what tensors looked like, from a spool and the files with their values."""

from cirron.snapshots.export import SUFFIXES, export
from cirron.snapshots.listing import Taken, list_snapshots
from cirron.snapshots.span_pattern import SpanPattern, short_span_ids
from cirron.snapshots.tensor_file import TensorFile

__all__ = ["SUFFIXES", "SpanPattern", "Taken", "TensorFile", "export", "list_snapshots", "short_span_ids"]
