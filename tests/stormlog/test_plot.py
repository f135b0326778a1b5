"""The picture of memory over time."""

import xml.etree.ElementTree as ET

import pytest

from stormlog.plot import HEIGHT, TOP, svg
from support.memory_devices import MB
from support.memory_events import event

SVG = "{http://www.w3.org/2000/svg}"


def drawn(events):
    """The picture, parsed: its texts, the points of its line, and the names of its bands."""
    root = ET.fromstring(svg(events))
    texts = [each.text for each in root.iter(f"{SVG}text")]
    points = [
        tuple(map(float, point.split(","))) for point in root.find(f"{SVG}polyline").get("points").split()
    ]
    return texts, points, [each.text for each in root.iter(f"{SVG}title")]


def test_the_phases_lie_below_the_line(device, tracker):
    with tracker.phase("train"):
        device.held_mb = 400
        with tracker.phase("forward"):
            device.held_mb = 800
    texts, points, bands = drawn(tracker.events())
    assert texts[0] == "cuda:0, rank 0: at most 800 MB"
    assert bands == ["train", "forward"]
    assert min(y for _, y in points) == TOP


def test_no_spike_is_lost_however_many_readings_there_are():
    readings = [
        event(timestamp_ns=number, allocator_allocated_bytes=(900 if number == 77_777 else 100) * MB)
        for number in range(100_000)
    ]
    _, points, _ = drawn(readings)
    assert len(points) < 4000
    assert sum(y == TOP for _, y in points) == 1
    assert points[0][1] == pytest.approx(TOP + HEIGHT * 8 / 9, abs=0.1)


def test_many_short_phases_are_drawn_as_one(device, tracker):
    for _ in range(5000):
        with tracker.phase("step"):
            pass
    _, _, bands = drawn(tracker.events())
    assert len(bands) < 2500


def test_names_cannot_break_the_picture(device, tracker):
    with tracker.phase("</title><script>&\x1b[2J"):
        pass
    _, _, bands = drawn(tracker.events())
    assert bands[0].startswith("</title><script>&")


def test_without_a_reading_there_is_nothing_to_draw():
    with pytest.raises(ValueError, match="nothing to draw"):
        svg([event(allocator_allocated_bytes=None)])
