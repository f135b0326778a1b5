"""Peaks for many, from an allocator that keeps one."""

from hypothesis import given
from hypothesis import strategies as st

from cirron.peak_ledger import PeakLedger


class Counters:
    """Of two things, with one peak each."""

    def __init__(self):
        self.now = {"bytes": 0, "blocks": 0}
        self.most = dict(self.now)

    def change(self, key, by):
        self.now[key] = max(0, self.now[key] + by)
        self.most[key] = max(self.most[key], self.now[key])

    def peaks(self):
        return dict(self.most)

    def reset(self):
        self.most = dict(self.now)


changes = st.tuples(st.sampled_from(["bytes", "blocks"]), st.integers(-100, 100))
steps = st.lists(
    st.one_of(changes, st.sampled_from(["begin", "end", "end oldest", "read", "reset"])), max_size=60
)


@given(steps)
def test_each_interval_has_its_true_peak_and_the_user_reads_what_there_would_be_without(steps):
    counters, undisturbed = Counters(), Counters()
    ledger = PeakLedger(counters, "bytes")
    begun = []  # each interval, and the most in use that was seen within it
    for step in [*steps, "read", *["end"] * len(steps)]:
        match step:
            case "begin":
                begun.append([ledger.begin(), counters.now["bytes"]])
            case "end" | "end oldest" if begun:
                interval, expected = begun.pop(0 if step == "end oldest" else -1)
                assert ledger.end(interval) == expected
            case "reset":
                ledger.reset_users()
                undisturbed.reset()
            case "read":
                assert {
                    key: ledger.users(key, peak) for key, peak in counters.peaks().items()
                } == undisturbed.peaks()
            case (key, by):
                for each in (counters, undisturbed):
                    each.change(key, by)
                for each in begun:
                    each[1] = max(each[1], counters.now["bytes"])
