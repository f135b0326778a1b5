"""A comparison in a sentence, and the numbers of one in few characters."""

from __future__ import annotations

import math

from cirron.diff.difference import Change, Difference
from cirron.diff.times import RunTimes, Times
from cirron.tree import units
from cirron.tree.path_text import path_text

ABOUT_EQUAL = 0.01  # of the run's time; less is no change worth the name


def conclusion(difference: Difference) -> str:
    """What the comparison comes down to.

    Example:
        >>> conclusion(compare(a, b))
        'B is 12 % slower than A (1.20 s → 1.34 s); most of it: epoch / step / data_load (+130 ms, 96 %)'
    """
    return f"{_whole(difference)}; {_most(difference)}"


def run_text(run_ns: float, cut_off: str) -> str:
    """A run's time; where its end is not known, at least how long it took."""
    return ("≥ " if cut_off else "") + units.duration(run_ns)


def signed_duration(ns: float) -> str:
    """`+130 ms`, `-2.00 s`."""
    text = units.duration(abs(ns))
    return text if text == "0 ns" else f"{'-' if ns < 0 else '+'}{text}"


def signed_percent(part: float) -> str:
    """`+20.3 %`, `-4.0 %`, `+1,250 %`."""
    if math.isinf(part):
        return "from 0"
    percent = part * 100
    if abs(percent) < 0.05:
        return "0.0 %"
    return f"{percent:+.1f} %" if abs(percent) < 99.95 else f"{percent:+,.0f} %"


def share_of_change(change: Change, difference: Difference) -> float | None:
    """The part of the run's change that a scope made; None where the run hardly changed."""
    if difference.growth is None or abs(difference.growth) < ABOUT_EQUAL:
        return None
    return change.contribution_ns / difference.change_ns


def _whole(difference: Difference) -> str:
    before, after, growth = difference.before, difference.after, difference.growth
    times = f"({run_text(before.run_ns, before.cut_off)} → {run_text(after.run_ns, after.cut_off)})"
    if before.cut_off or after.cut_off:
        which = "A and B have" if before.cut_off and after.cut_off else "A has" if before.cut_off else "B has"
        return f"{which} no regular end, so compare the scopes, not the runs {times}"
    if growth is None or abs(growth) < ABOUT_EQUAL:
        return f"B took about as long as A {times}"
    return f"B is {abs(growth) * 100:,.0f} % {'slower' if growth > 0 else 'faster'} than A {times}"


def _most(difference: Difference) -> str:
    """The scope that made most of the change, or how many changed where the runs as such do not tell."""
    if not (difference.before.cut_off or difference.after.cut_off):
        for change in difference.changes:
            share = share_of_change(change, difference)
            if share is not None and share > 0:
                return _part(change, share, difference)
    beyond = sum(1 for change in difference.changes if change.is_beyond_noise)
    told = sum(1 for change in difference.changes if change.shift)
    if not told:
        return "no scope has enough spans on both sides to tell a change from noise"
    return f"{beyond or 'none'} of {units.counted(told, 'scope')} changed beyond noise"


def _part(change: Change, share: float, difference: Difference) -> str:
    head = "most of it" if share >= 0.5 else "largest part"
    facts = [
        signed_duration(change.contribution_ns),
        units.percent(share),
        *_reservations(change, difference),
    ]
    return f"{head}: {path_text(change.path)} ({', '.join(facts)})"


def _reservations(change: Change, difference: Difference) -> list[str]:
    """That a scope ran clearly more or less often, which its durations do not show, or that these may be chance."""
    before = _per_rank(change.before, difference.before)
    after = _per_rank(change.after, difference.after)
    if abs(after - before) > before * ABOUT_EQUAL:
        return [f"which ran {units.counted(after, 'time')} instead of {before:,}"]
    return ["within noise"] if change.shift and not change.is_beyond_noise else []


def _per_rank(times: Times | None, run: RunTimes) -> int:
    return 0 if times is None else round(times.count / run.rank_count)
