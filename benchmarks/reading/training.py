"""The program that records the spools: a training loop that spends its time on nothing but its scopes.

    python -m benchmarks.reading.training SPANS

It records far faster than any training does, so it flushes often enough that no ring overflows, and fails if a
record was lost all the same.
"""

import sys

import cirron as ci

EPOCHS = 10
PARTS = ("data_load", "forward", "backward", "optimizer_step")
SPANS_PER_STEP = 1 + len(PARTS)
FLUSH_EVERY_STEPS = 2_000
MAX_BYTES_PER_SPAN = 2_000  # with its marks; far more than it takes


def main(spans: int) -> None:
    # The cap has no business here. Below its least value it would be refused.
    ci.profile({"spool_max_bytes": max(2**24, spans * MAX_BYTES_PER_SPAN)}, frameworks=[], snapshots=None)
    train(spans // EPOCHS // SPANS_PER_STEP)
    ci.flush()
    health = ci.health()
    ci.shutdown()
    lost = {name: health[name] for name in ("span_drop_count", "mark_drop_count", "scope_drop_count")}
    if any(lost.values()):
        sys.exit(f"records were lost: {lost}; flush more often")


def train(steps: int) -> None:
    for _ in ci.epochs(range(EPOCHS)):
        for step in range(steps):
            with ci.scope("step", index=step):
                for weight, part in enumerate(PARTS):
                    with ci.scope(part):
                        sum(range(step * weight % 40))  # so that durations differ
                ci.mark("loss", 1 / (step + 1))
            if step % FLUSH_EVERY_STEPS == 0:
                ci.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
