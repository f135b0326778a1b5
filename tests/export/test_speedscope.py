"""The format `speedscope`, held against the part of its schema that it uses."""

import json

import jsonschema

import cirron
from cirron.export.speedscope import write_speedscope
from export.exporting import SPOOL, as_bytes, hostile_spool, killed, third_party, two_ranks_and_a_worker
from support.commands import cirron as command
from support.recording import MS, Recording, training

NUMBERS = {"type": "array", "items": {"type": "integer", "minimum": 0}}
SAMPLED = {
    "type": "object",
    "required": ["type", "name", "unit", "startValue", "endValue", "samples", "weights"],
    "additionalProperties": False,
    "properties": {
        "type": {"const": "sampled"},
        "name": {"type": "string"},
        "unit": {"const": "nanoseconds"},
        "startValue": {"type": "integer"},
        "endValue": {"type": "integer"},
        "samples": {"type": "array", "items": NUMBERS},
        "weights": NUMBERS,
    },
}
FILE = {
    "type": "object",
    "required": ["$schema", "shared", "profiles"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "https://www.speedscope.app/file-format-schema.json"},
        "name": {"type": "string"},
        "exporter": {"type": "string"},
        "activeProfileIndex": {"type": "integer"},
        "shared": {
            "type": "object",
            "required": ["frames"],
            "properties": {
                "frames": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "additionalProperties": False,
                        "properties": {"name": {"type": "string"}},
                    },
                }
            },
        },
        "profiles": {"type": "array", "minItems": 1, "items": SAMPLED},
    },
}


def exported():
    """The document, after a look at all that a schema can and cannot say of it."""
    document = json.loads(as_bytes(write_speedscope))
    jsonschema.validate(document, FILE)
    frames = len(document["shared"]["frames"])
    for profile in document["profiles"]:
        assert len(profile["samples"]) == len(profile["weights"])
        assert profile["endValue"] - profile["startValue"] == sum(profile["weights"])
        assert all(frame < frames for stack in profile["samples"] for frame in stack)
    return document


def stacks(document, number=0):
    """Each stack of a profile, its names joined by slashes, and its milliseconds."""
    names = [frame["name"] for frame in document["shared"]["frames"]]
    profile = document["profiles"][number]
    return [
        ("/".join(names[frame] for frame in stack), weight / MS)
        for stack, weight in zip(profile["samples"], profile["weights"], strict=True)
    ]


def test_stacks_stand_in_the_order_of_time_with_what_passed_between():
    run = Recording()
    epoch = run.span("epoch", 10, 40, index=0)
    run.span("forward", 10, 25, parent=epoch)
    run.span("backward", 27, 40, parent=epoch)
    run.span("evaluate", 40, 45)
    run.session(0, 50)
    run.write(SPOOL)
    assert stacks(exported()) == [
        ("cirron.session", 10),
        ("cirron.session/epoch[0]/forward", 15),
        ("cirron.session/epoch[0]", 2),
        ("cirron.session/epoch[0]/backward", 13),
        ("cirron.session/evaluate", 5),
        ("cirron.session", 5),
    ]


def test_many_scopes_of_one_name_share_a_stack():
    training(2, 8).write(SPOOL)
    document = exported()
    assert stacks(document)[:4] == [
        ("cirron.session/epoch[0]/step/data_load", 21),
        ("cirron.session/epoch[0]/step/forward", 32),
        ("cirron.session/epoch[0]/step/backward", 48),
        ("cirron.session/epoch[0]/evaluate", 20),
    ]
    assert document["profiles"][0]["endValue"] == 242 * MS


def test_scopes_that_ran_beside_each_other_all_count():
    run = Recording()
    run.span("loader", 0, 9)
    run.span("trainer", 1, 10)
    run.session(0, 10)
    run.write(SPOOL)
    assert stacks(exported()) == [("cirron.session/loader", 9), ("cirron.session/trainer", 9)]


def test_each_rank_and_each_worker_has_a_profile_that_says_whose_it_is():
    two_ranks_and_a_worker()
    document = exported()
    assert [profile["name"] for profile in document["profiles"]] == [
        "rank 0 on north, process 7",
        "rank 1 on south, process 7",
        "rank 0, worker 0 on north, process 8",
    ]
    for number in range(3):
        assert stacks(document, number) == [
            ("cirron.session", 1),
            ("cirron.session/step/forward", 1),
            ("cirron.session/step", 2),
            ("cirron.session", 6),
        ]


def test_a_killed_process_says_so_and_counts_as_far_as_is_known():
    killed()
    document = exported()
    assert document["profiles"][0]["name"].endswith(": killed")
    assert document["profiles"][0]["endValue"] == 7 * MS


def test_what_is_open_in_a_live_session_is_there(profiler):
    with cirron.scope("outer"):
        with cirron.scope("inner"):
            pass
        cirron.flush()
        names = [frame["name"] for frame in exported()["shared"]["frames"]]
    assert names == ["cirron.session", "outer", "inner"]


def test_names_come_back_with_control_characters_spelled_out():
    hostile_spool()
    names = {frame["name"] for frame in exported()["shared"]["frames"]}
    assert {
        "</script><!-- <script>",
        "emoji 🔥 and 漢字",
        "\\x00\\x01\\x1b[31m\\x7f\\u2028\\u2029\\u202e",
    } <= names


def test_a_session_without_a_span_has_an_empty_profile():
    run = Recording()
    run.snapshot(run.session_id, "weight", at=3)
    run.write(SPOOL)
    assert stacks(exported()) == []


def test_a_damaged_file_may_nest_as_deep_as_it_likes():
    run = Recording()
    parent = run.session_id
    for _ in range(3000):
        parent = run.span("level", 0, 10, parent=parent)
    run.session(0, 10)
    run.write(SPOOL)
    [(stack, weight)] = stacks(exported())
    assert (stack.count("level"), weight) == (64, 10)


def test_another_writers_spool_can_be_exported():
    third_party()
    assert stacks(exported())


def test_the_command_writes_the_file():
    training(1, 3).write(SPOOL)
    code, out, err = command("traces", "export", "--format", "speedscope")
    assert (code, out) == (0, "")
    assert err.startswith("Wrote cirron-5e5e5e5e.speedscope.json: 15 spans")
    assert err.endswith("open it at https://www.speedscope.app\n")
