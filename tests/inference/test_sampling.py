"""A share of the requests is kept, and every one that fails or is slow."""

import asyncio
import contextlib

import pytest

import cirron as ci
from inference.conftest import tree


def flaky(**options):
    @ci.inference(**options)
    def flaky(request_id, fails=False):
        with ci.scope("part", kind="work"):
            ci.mark("m", 1)
        if fails:
            raise ValueError(request_id)

    return flaky


def kept_ids(requests):
    return [node["attrs"]["request_id"] for node in requests.named()]


def test_a_share_is_kept_which_the_ids_decide(requests):
    first, second = flaky(sample_rate=0.2), flaky(sample_rate=0.2)
    for number in range(2000):
        first(f"request-{number}")
    kept = kept_ids(requests)
    assert 300 < len(kept) < 500
    for number in range(2000):
        second(f"request-{number}")
    assert kept_ids(requests) == kept * 2


def test_what_is_left_out_is_counted_and_leaves_nothing(requests):
    for number in range(10):
        flaky(sample_rate=0.0)(str(number))
    assert requests.nodes() == []
    assert ci.health()["request_left_out_count"] == 10


def test_an_error_is_kept_with_its_whole_tree(requests):
    for fails in (False, True):
        with contextlib.suppress(ValueError):
            flaky(sample_rate=0.0)("r", fails=fails)
    assert requests.picture() == tree("""
        request function='flaky' outcome='error' error='ValueError' sample_rate=0.0 kept_for='error'
          part kind='work' | m=1
    """)


def test_a_slow_request_is_kept(requests):
    flaky(config={"sample_rate": 0.0, "slow_s": 0.0})("r")
    assert requests.picture() == tree("""
        request function='flaky' sample_rate=0.0 kept_for='slow'
          part kind='work' | m=1
    """)


def test_one_that_the_draw_has_chosen_says_at_which_rate(requests):
    flaky(sample_rate=0.999999)("r")
    assert requests.attributes() == {"sample_rate": 0.999999}


def test_an_error_in_a_call_within_keeps_the_tree_although_it_was_caught(requests):
    inner = flaky()

    @ci.inference(sample_rate=0.0)
    def outer():
        with pytest.raises(ValueError, match="inner"):
            inner("inner", fails=True)
        ci.mark("went on", True)  # noqa: FBT003 - a mark

    outer()
    assert requests.picture() == tree("""
        request function='outer' sample_rate=0.0 kept_for='error' | went on=True
          request function='flaky' outcome='error' error='ValueError'
            part kind='work' | m=1
    """)


def test_tasks_and_threads_of_a_request_share_its_fate(requests):
    @ci.inference
    async def part(number):
        with ci.scope("part", number):
            await asyncio.sleep(0)

    @ci.inference(sample_rate=0.0)
    async def whole(fails):
        await asyncio.gather(part(1), asyncio.to_thread(asyncio.run, part(2)))
        if fails:
            raise ValueError("no")

    async def main():
        return await asyncio.gather(*(whole(fails) for fails in (False, True, False)), return_exceptions=True)

    asyncio.run(main())
    assert requests.picture() == tree("""
        request function='whole' outcome='error' error='ValueError' sample_rate=0.0 kept_for='error'
          request function='part'
            part[1]
          request function='part'
            part[2]
    """)


def test_streams_that_take_turns_are_decided_one_by_one(requests):
    @ci.inference(sample_rate=0.0)
    def stream(fails):
        with ci.scope("first"):
            yield None
        if fails:
            raise ValueError("no")

    with ci.scope("around"):
        made = [stream(fails) for fails in (False, True)]
        for each in made:
            next(each)
        with ci.scope("between"):
            pass
        for each in made:
            with pytest.raises((StopIteration, ValueError)):
                next(each)
    assert requests.picture() == tree("""
        around
          between
        request function='stream' outcome='error' error='ValueError' sample_rate=0.0 kept_for='error'
          first
    """)


def test_scopes_around_a_request_that_is_left_out_are_recorded(requests):
    entered = ci.scope("around")

    @ci.inference(sample_rate=0.0)
    def leave():
        entered.__exit__(None, None, None)

    entered.__enter__()
    leave()
    assert requests.picture() == "around"


def test_what_comes_after_the_end_shares_the_verdict(requests):
    async def late(go_on):
        await go_on.wait()
        with ci.scope("late"):
            pass

    made = []

    @ci.inference(sample_rate=0.0)
    async def leave(go_on, fails):
        made.append(asyncio.create_task(late(go_on)))
        if fails:
            raise ValueError("no")

    async def main():
        go_on = asyncio.Event()
        await asyncio.gather(*(leave(go_on, fails) for fails in (True, False)), return_exceptions=True)
        go_on.set()
        await asyncio.gather(*made)

    asyncio.run(main())
    assert requests.picture() == tree("""
        request function='leave' outcome='error' error='ValueError' sample_rate=0.0 kept_for='error'
          late
    """)


def test_a_tree_too_large_to_wait_for_its_verdict_is_kept(requests):
    @ci.inference(sample_rate=0.0)
    def large():
        for number in range(40_000):
            ci.mark("m", number)

    large()
    assert requests.attributes() == {"sample_rate": 0.0, "kept_for": "size"}
    assert ci.health()["mark_drop_count"] == 0
