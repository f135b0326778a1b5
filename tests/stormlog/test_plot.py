"""The picture of memory over time."""

import sys
import xml.etree.ElementTree as ET

import pytest

from cirron.errors import CirronDependencyError
from stormlog.course import courses
from stormlog.plot import HEIGHT, TOP, draw, svg
from support.memory_devices import MB
from support.memory_events import event

SVG = "{http://www.w3.org/2000/svg}"


def drawn(events):
    """The picture, parsed: its texts, the points of its line, and the names of its bands."""
    (course,) = courses(events)
    root = ET.fromstring(svg(course))
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
    with tracker.phase("long"):
        for _ in range(2500):
            with tracker.phase("forward"):
                pass
            with tracker.phase("backward"):
                pass
    (course,) = courses(tracker.events())
    assert len(course.bands) < 200
    assert sum(count for band in course.bands for count in band.names.values()) == 5001
    assert "forward, backward" in {band.name for band in course.bands}


def test_names_cannot_break_the_picture(device, tracker):
    with tracker.phase("</title><script>&\x1b[2J"):
        pass
    _, _, bands = drawn(tracker.events())
    assert bands[0].startswith("</title><script>&")


def test_without_a_reading_there_is_nothing_to_draw():
    assert courses([event(allocator_allocated_bytes=None)]) == []


def test_each_session_and_rank_has_a_course_of_its_own():
    events = [
        event(timestamp_ns=30, session_id="b"),
        event(timestamp_ns=20, rank=1, world_size=2, session_id="a"),
        event(timestamp_ns=10, session_id="a"),
    ]
    assert [(course.session_id, course.rank) for course in courses(events)] == [("a", 0), ("a", 1), ("b", 0)]


def test_a_name_that_ends_in_png_gives_such_a_picture(device, tracker, tmp_path):
    with tracker.phase("train"), tracker.phase("$forward_{1}"):
        device.held_mb = 400
    (course,) = courses(tracker.events())
    draw(course, tmp_path / "memory.PNG")
    assert (tmp_path / "memory.PNG").read_bytes().startswith(b"\x89PNG\r\n")


def test_without_matplotlib_the_message_says_what_brings_it(device, tracker, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    (course,) = courses(tracker.events())
    with pytest.raises(CirronDependencyError, match=r"pip install 'cirron\[plot\]'"):
        draw(course, tmp_path / "memory.png")
