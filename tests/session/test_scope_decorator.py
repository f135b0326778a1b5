"""`@scope` on functions of every kind, through the native core."""

import asyncio

import pytest

import cirron as ci
from support.pictures import picture


def test_each_call_is_a_scope_of_its_own(profiler):
    @ci.scope("work", index=2, split="train")
    def work(value):
        ci.mark("value", value)

    work(1)
    work(2)
    assert picture(ci.trace("dict")) == (
        "cirron.session\n  work[2] split='train' | value=1\n  work[2] split='train' | value=2"
    )


def test_a_recursive_function_nests(profiler):
    @ci.scope("level")
    def descend(levels):
        if levels:
            descend(levels - 1)

    descend(2)
    assert picture(ci.trace("dict")) == "cirron.session\n  level\n    level\n      level"


def test_a_function_decorated_before_profile_is_recorded_after_it():
    @ci.scope("work")
    def work():
        pass

    work()
    ci.profile()
    work()
    assert picture(ci.trace("dict")) == "cirron.session\n  work"
    ci.shutdown()


def test_coroutines_at_once_keep_their_own_scopes(profiler):
    @ci.scope("fetch")
    async def fetch(name):
        await asyncio.sleep(0)
        ci.mark("name", name)

    async def main():
        await asyncio.gather(fetch("a"), fetch("b"))

    asyncio.run(main())
    assert picture(ci.trace("dict")) == "cirron.session\n  fetch | name='a'\n  fetch | name='b'"


def test_a_generator_is_one_scope_from_its_first_item_to_its_end(profiler):
    @ci.scope("read")
    def read():
        for i in range(2):
            ci.mark("item", i)
            yield i

    assert list(read()) == [0, 1]
    assert picture(ci.trace("dict")) == "cirron.session\n  read | item=0 | item=1"


def test_an_exception_is_recorded_by_its_type(profiler):
    @ci.scope("fail")
    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
    assert picture(ci.trace("dict")) == "cirron.session\n  fail error='KeyError'"


def test_a_class_is_refused(profiler):
    with pytest.raises(TypeError, match="put it on the methods"):

        @ci.scope("model")
        class Model:
            pass
