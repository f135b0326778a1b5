"""`Cirron`: instances with settings and sessions of their own."""

import threading
from pathlib import Path

import pytest

import cirron as ci
from support.pictures import picture


@pytest.fixture
def instance():
    instance = ci.Cirron(output_dir="own")
    yield instance
    instance.shutdown()


def test_two_instances_record_side_by_side(instance):
    other = ci.Cirron(output_dir="other")
    instance.profile()
    other.profile()
    with instance.scope("mine"), other.scope("theirs"):
        instance.mark("loss", 1)
        other.mark("loss", 2)
    assert picture(instance.trace("dict")) == "cirron.session\n  mine | loss=1"
    assert picture(other.trace("dict")) == "cirron.session\n  theirs | loss=2"
    other.shutdown()


def test_an_instance_and_the_functions_of_the_module_keep_apart(instance, profiler):
    instance.profile()
    with ci.scope("default"), instance.scope("own"):
        pass
    assert picture(instance.trace("dict")) == "cirron.session\n  own"
    assert picture(ci.trace("dict")) == "cirron.session\n  default"


def test_without_profile_an_instance_records_nothing_anywhere(instance, profiler):
    with instance.scope("nowhere"):
        instance.mark("loss", 1)
    assert list(instance.epochs([1, 2])) == [1, 2]
    assert list(instance.batches([1, 2])) == [1, 2]
    assert picture(ci.trace("dict")) == "cirron.session"
    assert instance.trace("dict")["span_count"] == 0
    assert not Path("own").exists()


def test_its_loops_are_loops_of_its_session(instance):
    instance.profile()
    for _ in instance.epochs(range(1)):
        for _ in instance.batches(range(1)):
            pass
    assert picture(instance.trace("dict")) == "cirron.session\n  epoch[0]\n    batch[0]"


def test_a_function_decorated_before_profile_is_recorded_after_it(instance):
    @instance.scope("work", kind="fit")
    def work():
        return 7

    assert work() == 7
    instance.profile()
    assert work() == 7
    assert picture(instance.trace("dict")) == "cirron.session\n  work kind='fit'"


def test_what_profile_is_told_goes_before_what_the_instance_was_told(instance):
    instance.profile(path="elsewhere")
    assert instance.health()["spool_dir"] == str(Path("elsewhere/spool").absolute())


def test_it_can_be_profiled_again_after_shutdown(instance):
    first = instance.profile().health()["session_id"]
    instance.shutdown()
    assert instance.profile().health()["session_id"] != first


def test_a_second_profile_returns_the_same_handle_and_warns(instance, caplog):
    assert instance.profile() is instance.profile()
    assert "profile() was called before" in caplog.text


def test_many_threads_may_start_it_at_once(instance):
    handles = []
    threads = [threading.Thread(target=lambda: handles.append(instance.profile())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(handles)) == 1


@pytest.mark.parametrize(
    "arguments", [{"output_dir": 3}, {"api_key": 3}, {"flush_interval": "1"}, {"output": 3}], ids=str
)
def test_a_wrong_type_is_refused(arguments):
    with pytest.raises(TypeError, match=f"^{next(iter(arguments))} is of type"):
        ci.Cirron(**arguments)


@pytest.mark.parametrize("arguments", [{"output": "disk"}, {"flush_interval": -1}, {"api_key": ""}], ids=str)
def test_a_wrong_value_is_refused(arguments):
    with pytest.raises(ValueError, match=f"^{next(iter(arguments))}="):
        ci.Cirron(**arguments)
