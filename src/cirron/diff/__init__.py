"""Two runs compared, scope by scope: what changed, by how much beyond noise, and what that makes of the run's time."""

from cirron.diff.as_json import to_dict
from cirron.diff.difference import Change, Difference, compare
from cirron.diff.table import to_lines
from cirron.diff.times import RunTimes, ScopePath, Times, times_of
from cirron.diff.words import conclusion

__all__ = [
    "Change",
    "Difference",
    "RunTimes",
    "ScopePath",
    "Times",
    "compare",
    "conclusion",
    "times_of",
    "to_dict",
    "to_lines",
]
