"""The format `perfetto`: a protobuf trace for https://ui.perfetto.dev."""

from cirron.export.perfetto.trace import write_perfetto

__all__ = ["write_perfetto"]
