"""Runs whose durations vary as real ones do, with a known change in them or with none."""

import random

from support.recording import Recording

TYPICAL_MS = {"data_load": 1.0, "forward": 4.0, "backward": 6.0}


def noisy_run(seed, *, epochs=2, steps=60, slower=None, warm_up=1.0, spread=0.2, **of_recording) -> Recording:
    """A session of epochs and steps; twins differ in their seed only.

    Args:
        seed: of the noise, and of the session's id.
        epochs: how many.
        steps: of each epoch.
        slower: by what the durations of a scope are multiplied, by its name.
        warm_up: by what those of the very first step are.
        spread: of the logarithm of the durations.
        of_recording: as for `Recording`.
    """
    noise = random.Random(seed)
    given = dict(session_id=f"{noise.getrandbits(128):032x}", id_head=seed + 1) | of_recording
    run = Recording(**given)
    clock = 0.0
    for epoch in range(epochs):
        epoch_id, epoch_began = next(run.ids), clock
        for step in range(steps):
            step_id, began = next(run.ids), clock
            for name, typical_ms in TYPICAL_MS.items():
                took = typical_ms * noise.lognormvariate(0, spread) * (slower or {}).get(name, 1)
                took *= warm_up if epoch == step == 0 else 1
                run.span(name, clock, clock + took, parent=step_id)
                clock += took
            run.span("step", began, clock, parent=epoch_id, index=step, id=step_id)
        run.span("epoch", epoch_began, clock, index=epoch, id=epoch_id)
    run.session(0, clock, attrs={"cirron.ended": "completed"})
    return run
