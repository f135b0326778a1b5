"""A comparison for a program: plain values, all times in nanoseconds."""

from __future__ import annotations

from typing import Any

from cirron.diff.difference import CONFIDENCE, Change, Difference
from cirron.diff.times import RunTimes, Times


def to_dict(difference: Difference, limit: float | None = None, most: int | None = None) -> dict[str, Any]:
    """The comparison with all its numbers.

    Args:
        difference: what `compare` found.
        limit: the growth that is still accepted, to say which scopes grew more; None to judge none.
        most: how many scopes to list; by default all.

    Example:
        to_dict(compare(a, b))["scopes"][0]["contribution_ns"]
    """
    regressions = {change.path for change in difference.regressions(limit)} if limit is not None else set()
    return {
        "before": _run(difference.before),
        "after": _run(difference.after),
        "change_ns": difference.change_ns,
        "confidence": CONFIDENCE,
        "scopes": [_scope(change, change.path in regressions) for change in difference.changes[:most]],
    }


def _run(run: RunTimes) -> dict[str, Any]:
    return {"run_ns": run.run_ns, "ranks": run.rank_count, "cut_off": run.cut_off or None}


def _scope(change: Change, is_regression: bool) -> dict[str, Any]:
    return {
        "path": list(change.path),
        "status": "new" if change.before is None else "gone" if change.after is None else "both",
        "before": change.before and _times(change.before),
        "after": change.after and _times(change.after),
        "typical": _typical(change),
        "contribution_ns": change.contribution_ns,
        "regression": is_regression,
    }


def _times(times: Times) -> dict[str, Any]:
    return {
        "count": times.count,
        "ended": times.ended_count,
        "total_ns": times.total_ns,
        "share_ns": times.share_ns,
        "mean_ns": times.mean_ns,
    }


def _typical(change: Change) -> dict[str, Any] | None:
    """The trimmed means, and the band of their difference; None where there are too few spans to tell."""
    if change.shift is None:
        return None
    change_ns = change.shift.after_ns - change.shift.before_ns
    return {
        "before_ns": change.shift.before_ns,
        "after_ns": change.shift.after_ns,
        "change_ns": change_ns,
        "low_ns": change_ns - change.noise_ns,
        "high_ns": change_ns + change.noise_ns,
        "beyond_noise": change.is_beyond_noise,
    }
