"""What a comparison needs to know of one run: the times of its scopes, by path."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeAlias

from cirron.spool.reader import Reader
from cirron.spool.records import ATTR_ENDED, SESSION_NAME
from cirron.spool.runs import Run
from cirron.tree.flat import Place, paths
from cirron.tree.run_outline import WORKERS, OpenSpans, Shape, read_outlines
from cirron.tree.scope import Scope

ScopePath: TypeAlias = tuple[str, ...]  # names from the outside in, the session's left out


@dataclass
class Times:
    """The spans of one path.

    Attributes:
        is_beside: whether they ran in workers, and so beside the run and not as a part of its time.
        count: how many there were, those without an end included.
        walls_ns: by rank, how long each of those took that ended, in the order of time or against it.
        total_ns: time in all of them.
        share_ns: the part of it that counts as the run's time and is spent outside of the scopes below; see
            `cirron.tree.flat.Place`.
    """

    is_beside: bool
    count: int = 0
    walls_ns: dict[int, array[int]] = field(default_factory=dict)
    total_ns: int = 0
    share_ns: float = 0.0

    @property
    def ended_count(self) -> int:
        """How many have an end."""
        return sum(map(len, self.walls_ns.values()))

    @property
    def mean_ns(self) -> float | None:
        """Of those that ended; None where none did."""
        return sum(map(sum, self.walls_ns.values())) / self.ended_count if self.ended_count else None

    def all_walls_ns(self) -> array[int]:
        """Those of all ranks, one rank after the other."""
        return array("q", chain.from_iterable(self.walls_ns.values()))

    def add(self, place: Place, rank: int) -> None:
        """Take in the spans of a scope."""
        scope = place.scope
        self.count += scope.count
        self.walls_ns.setdefault(rank, array("q")).extend(scope.walls_ns)
        self.total_ns += scope.total_ns
        self.share_ns += place.share_ns


@dataclass(frozen=True)
class RunTimes:
    """One run.

    Attributes:
        scopes: the times by path; those of workers begin with `workers`.
        rank_count: how many processes they are the sum of, workers not counted.
        run_ns: the time of the whole run; where there are several ranks, their mean.
        cut_off: why `run_ns` is not all of the run's time: `killed`, `interrupted`, `still open`; else empty.
    """

    scopes: Mapping[ScopePath, Times]
    rank_count: int
    run_ns: float
    cut_off: str


def times_of(reader: Reader, run: Run, open_spans: OpenSpans = lambda _: ()) -> RunTimes:
    """Gather the times of a run, in one pass over its batches.

    The ranks are kept apart, as what sets them apart is no noise: see `cirron.diff.noise`.

    Args:
        reader: gives the batches of its sessions and of no others.
        run: which of them is a rank and which a worker.
        open_spans: the spans that a session, given by its id, has open now.

    Example:
        before = times_of(read("main/.cirron", ids), run)
    """
    outlines, _ = read_outlines(reader, run, Shape(few=1, marks=False), open_spans)
    for outline in outlines.values():
        outline.finish()
    found: dict[ScopePath, Times] = {}
    for session in run.sessions:
        is_beside = session in run.workers
        for place in paths(outlines[session.id].top):
            path = _path(place, (WORKERS,) if is_beside else ())
            found.setdefault(path, Times(is_beside)).add(place, session.rank)
    tops = [outlines[session.id].top for session in run.ranks]
    run_ns = sum(root.total_ns for top in tops for root in top.scopes()) / len(tops)
    return RunTimes(found, len(tops), run_ns, _cut_off(tops))


def _path(place: Place, around: ScopePath) -> ScopePath:
    """Where the scope is in the run; a worker's session stands for all that is recorded there."""
    return (*around, *(() if place.path == (SESSION_NAME,) else place.path)) or (SESSION_NAME,)


def _cut_off(tops: list[Scope]) -> str:
    """Why the time of these processes is not told in full."""
    if any(root.attrs.get(ATTR_ENDED) == "killed" for top in tops for root in top.scopes()):
        return "killed"
    scopes = [scope for top in tops for scope in top.walk()]
    if any(scope.interrupted_count for scope in scopes):
        return "interrupted"
    return "still open" if any(scope.open_count for scope in scopes) else ""
