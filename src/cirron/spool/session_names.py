"""Session ids for the batches of writers that name no session."""

from collections.abc import Iterable

from cirron.spool.records import Batch


def name_sessions(batches: Iterable[Batch]) -> dict[str, str]:
    """The session of each batch that carries none, by batch id; batches come oldest first.

    What one process wrote up to and with its root span is one session and takes the id of that span; what
    has no root span, as after a kill, is `pid-<pid>`. A batch of marks alone does not tell its process and
    goes with the batch before it.
    """
    sessions: dict[str, str] = {}
    pending: dict[int, list[str]] = {}
    pid = 0
    for batch in batches:
        if batch.session_id is not None:
            continue
        pid = batch.spans[0].pid if batch.spans else pid
        pending.setdefault(pid, []).append(batch.batch_id)
        if batch.session_span is not None:
            sessions |= dict.fromkeys(pending.pop(pid), batch.session_span.id)
    for pid, batch_ids in pending.items():
        sessions |= dict.fromkeys(batch_ids, f"pid-{pid}")
    return sessions
