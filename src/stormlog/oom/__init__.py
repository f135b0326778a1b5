"""What is written down when a process runs out of memory."""

from stormlog.oom.bundle import Bundle, write_bundle
from stormlog.oom.causes import is_out_of_memory
from stormlog.oom.recorder import OomRecorder

__all__ = ["Bundle", "OomRecorder", "is_out_of_memory", "write_bundle"]
