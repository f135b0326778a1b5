"""Sessions that belong together: the ranks of one distributed run, and the workers of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cirron.spool.session_list import Session


@dataclass(slots=True)
class Run:
    """One start of a program, with all processes that recorded for it.

    Attributes:
        ranks: the main processes; a single one where nothing ran distributed.
        workers: the processes that those made, such as a DataLoader's.
    """

    ranks: list[Session]
    workers: list[Session] = field(default_factory=list)

    @property
    def sessions(self) -> list[Session]:
        """All of them, the ranks first."""
        return [*self.ranks, *self.workers]

    @property
    def started_ns(self) -> int:
        """When the first of its ranks began."""
        return min(session.started_ns for session in self.ranks)


def runs(sessions: Iterable[Session]) -> list[Run]:
    """The runs that these sessions make up, the one that started first first.

    A worker belongs to the run of its parent. Main processes belong together when they are different ranks of one
    world: with the same run id or, where no launcher gave one, while the others were running. A rank that comes a
    second time, as after an elastic restart, begins another run.

    Args:
        sessions: in any order; a worker whose parent is not among them makes a run of its own.

    Example:
        >>> [len(run.ranks) for run in runs(sessions("shared/.cirron"))]
        [8, 8]
    """
    by_start = sorted(sessions, key=lambda session: (session.started_ns, session.id))
    by_id = {session.id: session for session in by_start}
    found: list[Run] = []
    run_of: dict[str, Run] = {}
    for session in by_start:
        if _made_by(session, by_id) is None:
            run_of[session.id] = _joined(session, found)
    for session in by_start:
        if session.id not in run_of:
            ancestor = _ancestor(session, by_id)
            if ancestor.id in run_of:
                run_of[ancestor.id].workers.append(session)
            else:
                run_of[session.id] = _joined(session, found)
    return found


def _made_by(session: Session, by_id: dict[str, Session]) -> Session | None:
    """The session whose worker this one is; a rank is nobody's worker, even if another process spawned it."""
    parent = by_id.get(session.parent_session_id or "")
    if parent is None or session.world_size > parent.world_size or session.rank != parent.rank:
        return None
    return parent


def _ancestor(session: Session, by_id: dict[str, Session]) -> Session:
    seen = {session.id}  # only a damaged file leads in a circle
    while (parent := _made_by(session, by_id)) is not None and parent.id not in seen:
        seen.add(parent.id)
        session = parent
    return session


def _joined(session: Session, found: list[Run]) -> Run:
    """The newest run that has this session's place free, or a new one."""
    for run in reversed(found) if session.world_size > 1 else ():
        if _belongs(session, run):
            run.ranks.append(session)
            run.ranks.sort(key=lambda member: member.rank)
            return run
    found.append(Run([session]))
    return found[-1]


def _belongs(session: Session, run: Run) -> bool:
    first = run.ranks[0]
    if (session.world_size, session.run_id) != (first.world_size, first.run_id):
        return False
    if any(member.rank == session.rank for member in run.ranks):
        return False
    return session.run_id is not None or session.started_ns <= max(member.last_ns for member in run.ranks)
