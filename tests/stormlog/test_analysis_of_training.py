"""The analysis on real training with torch, whose hooks open the phases."""

import pytest

from stormlog.analysis import analyze
from stormlog.telemetry import spooled_events
from support.programs import run_program

TRAINING = """
import torch, cirron as ci
from stormlog import MemoryTracker
torch.set_num_threads(1)
ci.profile(snapshots=None)
tracker = MemoryTracker(device="host", scopes=True)
tracker.start_tracking()
layers = torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10)
model = torch.nn.Sequential(*layers)
optimizer = torch.optim.Adam(model.parameters())
data = torch.utils.data.TensorDataset(torch.randn(6400, 256), torch.randint(0, 10, (6400,)))
losses, kept = [], []
for epoch in range(3):
    for x, y in torch.utils.data.DataLoader(data, batch_size=64):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        {each_step}
"""


def growth_of(each_step):
    ended = run_program(TRAINING.format(each_step=each_step))
    assert (ended.code, ended.stderr) == (0, "")
    findings = analyze(spooled_events(".").events).findings
    return {finding.path: finding.value_bytes for finding in findings if finding.kind == "growth"}


def test_says_nothing_of_healthy_training():
    assert growth_of("losses.append(loss.item())") == {}


def test_finds_activations_that_are_kept_in_the_pass_that_makes_them():
    """Of each step 64 x 512 floats before the ReLU, which the graph holds, and as many after it."""
    found = growth_of("kept.append(layers[1](layers[0](x)))")
    assert found == {("epoch", "step", "forward"): pytest.approx(64 * 512 * 4, rel=0.05)}
