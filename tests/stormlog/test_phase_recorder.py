"""Phases as `PhaseRecorder` gives them: payloads, order, and what it says to wrong closes."""

import threading

import pytest

from stormlog.phases.runtime import PhaseProtocolError, PhaseRecorder, PhaseToken

HERE = {"session_id": "s", "rank": 0}


@pytest.fixture
def recorder():
    return PhaseRecorder()


def scope_of(boundary):
    return boundary.metadata["phase_scope"]


def in_thread(work):
    """What `work` returned, or raised, in a thread of its own."""
    outcome = []

    def run():
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return outcome[0]


def test_an_entry_tells_the_phase_to_people_and_programs(recorder):
    recorder.enter(**HERE, name="train")
    token, boundary = recorder.enter(**HERE, name=" forward ", attrs={"step": 3})
    thread = threading.current_thread()
    assert token == PhaseToken("s:2", "s", 0, thread.ident, "forward")
    assert (boundary.event_type, boundary.scope_id, boundary.path) == (
        "phase_enter",
        "s:2",
        ("train", "forward"),
    )
    assert boundary.context == "phase enter: train / forward"
    assert scope_of(boundary) == {
        "action": "enter",
        "name": "forward",
        "path": ["train", "forward"],
        "depth": 2,
        "scope_id": "s:2",
        "parent_scope_id": "s:1",
        "thread_id": thread.ident,
        "thread_name": thread.name,
        "sequence": 2,
        "attributes": {"step": 3},
    }


def test_an_exit_says_the_same_with_the_next_number(recorder):
    token, entered = recorder.enter(**HERE, name="forward", attrs={"step": 3})
    left = recorder.exit(token)
    assert (left.event_type, left.context) == ("phase_exit", "phase exit: forward")
    assert scope_of(left) == scope_of(entered) | {"action": "exit", "sequence": 2}


def test_what_a_user_does_to_a_boundary_changes_no_other(recorder):
    attributes = {"step": 3}
    token, entered = recorder.enter(**HERE, name="forward", attrs=attributes)
    attributes["step"] = 4
    scope_of(entered)["path"].append("changed")
    scope_of(entered)["name"] = "changed"
    assert scope_of(recorder.exit(token)) | {"sequence": 0} == {
        **scope_of(entered),
        "action": "exit",
        "name": "forward",
        "path": ["forward"],
        "sequence": 0,
        "attributes": {"step": 3},
    }


def test_phases_by_their_ids(recorder):
    entered = recorder.enter_phase(**HERE, name="load", metadata={"shard": 1})
    assert scope_of(entered)["attributes"] == {"shard": 1}
    left = recorder.exit_phase(**HERE, scope_id=entered.scope_id, thread_id=threading.get_ident())
    assert left.scope_id == entered.scope_id


@pytest.mark.parametrize("name", ["", " \t\n", None, 3])
def test_a_name_is_text_with_something_in_it(recorder, name):
    with pytest.raises(ValueError, match="name="):
        recorder.enter(**HERE, name=name)
    assert recorder.enter(**HERE, name="next")[1].scope_id == "s:1"


def test_sessions_and_ranks_have_stacks_of_their_own(recorder):
    first, _ = recorder.enter(session_id="s", rank=0, name="a")
    second, of_rank = recorder.enter(session_id="s", rank=1, name="b")
    third, of_session = recorder.enter(session_id="t", rank=0, name="c")
    assert (of_rank.path, of_session.path) == (("b",), ("c",))
    for token in (first, second, third):
        recorder.exit(token)


def test_a_thread_has_stacks_of_its_own(recorder):
    recorder.enter(**HERE, name="train")
    assert in_thread(lambda: recorder.enter(**HERE, name="load"))[1].path == ("load",)


def test_the_stacks_of_a_dead_thread_go_to_nobody(recorder):
    """Thread numbers are used again: the second thread may well have the number of the first."""
    in_thread(lambda: recorder.enter(**HERE, name="abandoned"))
    assert in_thread(lambda: recorder.enter(**HERE, name="load"))[1].path == ("load",)


def refused(recorder, token, because):
    with pytest.raises(PhaseProtocolError, match=because):
        recorder.exit(token)


def test_a_phase_cannot_be_left_before_those_inside_it(recorder):
    outer, _ = recorder.enter(**HERE, name="outer")
    inner, _ = recorder.enter(**HERE, name="inner")
    refused(recorder, outer, "s:1 is not the innermost one: 'outer / inner' .*close that first")
    recorder.exit(inner)
    recorder.exit(outer)


def test_a_phase_cannot_be_left_from_another_thread(recorder):
    token, _ = recorder.enter(**HERE, name="train")
    error = in_thread(lambda: recorder.exit(token))
    assert isinstance(error, PhaseProtocolError)
    assert "cannot be left from thread" in str(error)
    recorder.exit(token)


def test_the_thread_must_be_named_rightly(recorder):
    token, _ = recorder.enter(**HERE, name="train")
    with pytest.raises(PhaseProtocolError, match="cannot be left from thread"):
        recorder.exit_phase(**HERE, scope_id=token.scope_id, thread_id=token.thread_id + 1)
    recorder.exit(token)


def test_a_phase_cannot_be_left_twice(recorder):
    token, _ = recorder.enter(**HERE, name="train")
    recorder.exit(token)
    refused(recorder, token, "was left before, or never entered")


@pytest.mark.parametrize("scope_id", ["s:99", "t:1", "s:", "", "s:-1", "s:1x"])
def test_an_unknown_phase_cannot_be_left(recorder, scope_id):
    recorder.enter(**HERE, name="train")
    refused(recorder, PhaseToken(scope_id, "s", 0, threading.get_ident(), "train"), "never entered")


def test_a_phase_cannot_be_left_for_another_session_or_rank(recorder):
    token, _ = recorder.enter(**HERE, name="train")
    for other in ({"session_id": "t", "rank": 0}, {"session_id": "s", "rank": 1}):
        stranger = PhaseToken(token.scope_id, thread_id=token.thread_id, name="train", **other)
        refused(recorder, stranger, "is not open here")
    recorder.exit(token)


def test_a_reset_drops_what_is_open_and_says_so(recorder):
    before, _ = recorder.enter(**HERE, name="before")
    recorder.reset()
    after, boundary = recorder.enter(**HERE, name="after")
    assert boundary.path == ("after",)
    assert after.scope_id != before.scope_id
    refused(recorder, before, r"entered before reset\(\)")
    recorder.exit(after)
    refused(recorder, after, "was left before")
