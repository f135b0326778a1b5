"""A stream is one request, from its first item to its end, and only what it does itself is in it."""

import asyncio
import gc
from contextlib import aclosing

import pytest

import cirron as ci
from inference.conftest import tree


@ci.inference
def words(count, name="word"):
    for i in range(count):
        with ci.scope(name, i):
            yield f"{name} {i}"


@ci.inference
async def words_in_time(count):
    for i in range(count):
        with ci.scope("word", i):
            await asyncio.sleep(0)
            yield f"word {i}"


def outcomes(requests):
    return [node["attrs"].get("outcome") for node in requests.named()]


def test_what_the_consumer_does_between_items_is_not_in_the_request(requests):
    for word in words(2):
        with ci.scope("consumed"):
            ci.mark("word", word)
    (request,) = requests.named()
    assert [child["name"] for child in request["children"]] == ["word", "word"]
    assert [node["children"] for node in requests.named("consumed")] == [[], []]


def test_streams_that_take_turns_are_separate_requests(requests):
    for _ in zip(words(2, "a"), words(2, "b"), strict=True):
        pass
    children = [[child["name"] for child in node["children"]] for node in requests.named()]
    assert sorted(children) == [["a", "a"], ["b", "b"]]


def test_asynchronous_streams_that_take_turns_in_one_task_are_too(requests):
    async def main():
        first, second = words_in_time(2), words_in_time(2)
        return [(await anext(first), await anext(second)) for _ in range(2)] + [
            [each async for each in first],
            [each async for each in second],
        ]

    asyncio.run(main())
    assert [len(node["children"]) for node in requests.named()] == [2, 2]


def test_a_stream_of_a_request_is_its_child_as_long_as_that_lasts(requests):
    @ci.inference
    def outer():
        return [len(word) for word in words(2)]

    outer()
    (request,) = requests.named()
    assert [child["name"] for child in request["children"]] == ["request"]


def test_a_stream_ends_with_its_last_item(requests):
    list(words(2))
    assert outcomes(requests) == [None]


def test_a_stream_ends_when_it_is_closed(requests):
    made = words(3)
    next(made)
    made.close()
    assert outcomes(requests) == ["closed"]


def test_a_stream_ends_when_nobody_has_it_any_more(requests):
    made = words(3)
    next(made)
    del made
    gc.collect()
    assert outcomes(requests) == ["closed"]


def test_a_stream_that_was_never_asked_is_no_request(requests):
    words(3).close()
    words_in_time(3)
    assert requests.nodes() == []


def test_an_asynchronous_stream_ends_when_it_is_closed_or_left(requests):
    async def main():
        ended = asyncio.Event()

        @ci.inference
        async def left():
            try:
                yield 1
            finally:
                ended.set()

        async with aclosing(words_in_time(3)) as closed:
            await anext(closed)
        async for _ in left():
            break
        gc.collect()
        await ended.wait()  # the loop closes what was left

    asyncio.run(main())
    assert outcomes(requests) == ["closed", "closed"]


def test_a_stream_that_fails_says_how(requests):
    @ci.inference
    async def failing():
        yield 1
        raise ConnectionError("gone")

    async def main():
        with pytest.raises(ConnectionError):
            [each async for each in failing()]

    asyncio.run(main())
    attributes = requests.attributes()
    assert (attributes["outcome"], attributes["error"]) == ("error", "ConnectionError")


def test_a_generator_that_a_function_returns_is_part_of_the_request(requests):
    @ci.inference
    def respond():
        def body():
            with ci.scope("body"):
                yield "text"

        with ci.scope("prepare"):
            pass
        return body()

    made = respond()
    assert (type(made).__name__, made.__name__) == ("generator", "body")
    with ci.scope("sent"):
        assert list(made) == ["text"]
    request, sent = sorted(requests.nodes(), key=lambda node: node["name"])
    assert [child["name"] for child in request["children"]] == ["prepare", "body"]
    assert sent["children"] == []


def test_a_generator_that_somebody_else_has_too_is_returned_as_it_is(requests):
    kept = (i for i in range(3))

    @ci.inference
    def give():
        return kept

    assert give() is kept
    assert len(requests.named()) == 1


def test_a_coroutine_that_returns_a_stream_goes_on_with_it(requests):
    @ci.inference
    async def respond():
        async def body():
            with ci.scope("body"):
                yield "text"

        return body()

    async def main():
        return [each async for each in await respond()]

    assert asyncio.run(main()) == ["text"]
    assert [child["name"] for child in requests.the_one()["children"]] == ["body"]


def test_a_stream_can_be_handed_from_thread_to_thread(requests):
    async def main():
        made = words(4)
        return [await asyncio.to_thread(next, made) for _ in range(4)] + list(made)

    asyncio.run(main())
    assert [child["name"] for child in requests.the_one()["children"]] == ["word"] * 4


def test_a_stream_has_no_cpu_time_for_it_shares_its_thread(requests):
    made = words(2)
    next(made)
    sum(i * i for i in range(300_000))
    list(made)
    (span,) = [row for row in ci.trace("df").to_dict("records") if row["name"] == "request"]
    assert span["cpu_ns"] != span["cpu_ns"] or span["cpu_ns"] is None


def test_times_of_a_stream_of_texts(requests):
    list(words(3))
    marks = requests.marks()
    assert marks["completion_tokens"] == 3
    assert 0 < marks["time_to_first_token_ns"] <= requests.the_one()["wall_us"] * 1000
    assert marks["inter_token_ns"] > 0
    assert marks["tokens_per_s"] > 0


def test_a_stream_of_other_things_has_no_tokens(requests):
    @ci.inference
    def frames():
        yield [1.0]
        yield {"frame": 2}

    list(frames())
    assert requests.marks() == {}


def test_the_picture_of_a_stream(requests):
    @ci.inference
    def silent():
        with ci.scope("load"):
            pass
        yield None
        with ci.scope("send"):
            pass

    for _ in silent():
        pass
    assert requests.picture() == tree("""
        request function='silent'
          load
          send
    """)
