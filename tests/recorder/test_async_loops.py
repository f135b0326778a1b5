"""`async for` over `epochs` and `batches`: the same scopes as in a plain loop, whoever runs the task."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterable, Iterable

import pytest

from cirron._recorder import batches, epochs, mark, scope
from support.recorders import tree


async def numbers(count):
    for number in range(count):
        await asyncio.sleep(0)
        yield number


class Numbers:
    """An asynchronous iterable that is no generator, with a length and an attribute."""

    rate = 0.5

    def __init__(self, count=2):
        self.count = count

    def __len__(self):
        return self.count

    def __aiter__(self):
        return Iterator(iter(range(self.count)))


class Iterator:
    def __init__(self, items):
        self.items = items

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.sleep(0)
        try:
            return next(self.items)
        except StopIteration:
            raise StopAsyncIteration from None


@pytest.mark.parametrize("make", [numbers, Numbers])
def test_each_item_has_its_scope(session, make):
    async def main():
        async for epoch in epochs(make(2)):
            async for batch in batches(make(2)):
                mark("item", 10 * epoch + batch)

    asyncio.run(main())
    assert session.picture() == tree("""
        cirron.session
          epoch[0]
            batch[0] | item=0
            batch[1] | item=1
          epoch[1]
            batch[0] | item=10
            batch[1] | item=11
    """)


def test_a_batch_contains_what_its_fetch_recorded(session):
    async def load():
        for number in range(2):
            with scope("load"):
                await asyncio.sleep(0)
            yield number

    async def main():
        async for number in batches(load()):
            mark("used", number)

    asyncio.run(main())
    assert session.picture() == tree("""
        cirron.session
          batch[0] | used=0
            load
          batch[1] | used=1
            load
    """)


def test_break_closes_the_scope_at_once(session):
    async def main():
        async for _ in batches(numbers(3)):
            break
        mark("after", 1)

    asyncio.run(main())
    assert session.picture() == "cirron.session | after=1\n  batch[0]"


def test_an_exception_in_the_body_is_recorded(session):
    async def main():
        async for _ in epochs(numbers(2)):
            async for _ in batches(Numbers()):
                raise ValueError

    with pytest.raises(ValueError):
        asyncio.run(main())
    assert session.picture() == tree("""
        cirron.session
          epoch[0] error='ValueError'
            batch[0] error='ValueError'
    """)


def test_an_exception_while_fetching_is_recorded(session):
    async def load():
        yield 1
        raise OSError

    async def main():
        with contextlib.suppress(OSError):
            async for _ in batches(load()):
                pass
        mark("after", 1)

    asyncio.run(main())
    assert session.picture() == "cirron.session | after=1\n  batch[0]\n  batch[1] error='OSError'"


def test_a_task_that_is_cancelled_while_it_waits_closes_its_scopes(session):
    async def never():
        yield 1
        await asyncio.Event().wait()

    async def wait_for_items(waiting):
        with scope("task"):
            async for _ in batches(never()):
                waiting.set()

    async def main():
        waiting = asyncio.Event()
        task = asyncio.create_task(wait_for_items(waiting))
        await waiting.wait()
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        mark("after", 1)

    asyncio.run(main())
    assert session.picture() == tree("""
        cirron.session | after=1
          task error='CancelledError'
            batch[0]
            batch[1] error='CancelledError'
    """)


def test_each_of_several_tasks_has_its_own_branch(session):
    async def work(name):
        with scope(name):
            async for number in batches(numbers(2)):
                mark("item", number)

    async def main():
        async with asyncio.TaskGroup() as group:
            for name in "ab":
                group.create_task(work(name))

    asyncio.run(main())
    branch = "\n    batch[0] | item=0\n    batch[1] | item=1"
    assert session.picture() == f"cirron.session\n  a{branch}\n  b{branch}"


def test_tasks_that_share_one_iterator_each_get_their_items(session):
    async def take(items, taken):
        async for item in items:
            taken.append(item)

    async def main():
        taken, items = [], aiter(batches(Numbers(6)))
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(take(items, taken))
        assert sorted(taken) == list(range(6))
        assert session.recorder.depth() == 0

    asyncio.run(main())


def test_aclose_closes_scope_and_generator(session):
    ended = []

    async def load():
        try:
            yield 1
        finally:
            ended.append(True)

    async def main():
        items = aiter(batches(load()))
        await anext(items)
        await items.aclose()
        mark("after", 1)
        assert [item async for item in items] == []
        assert ended == [True]

    asyncio.run(main())
    assert session.picture() == "cirron.session | after=1\n  batch[0]"


def test_what_is_sent_and_thrown_reaches_the_generator(session):
    async def echo():
        received = None
        while True:
            try:
                received = yield received
            except KeyError:
                received = "caught"

    async def main():
        items = aiter(batches(echo()))
        assert await anext(items) is None
        assert await items.asend(5) == 5
        assert await items.athrow(KeyError()) == "caught"
        await items.aclose()

    asyncio.run(main())


def test_the_end_of_a_generator_around_the_loop_closes_its_scope(session):
    async def around():
        async for item in batches(numbers(3)):
            yield item

    async def main():
        generator = around()
        await anext(generator)
        await generator.aclose()
        mark("after", 1)

    asyncio.run(main())
    assert session.picture() == "cirron.session | after=1\n  batch[0]"


def test_epochs_are_looked_at_before_they_close(session):
    seen = []
    session.recorder.set_epoch_end(lambda *place: seen.append(session.recorder.depth()))

    async def main():
        async for _ in epochs(numbers(2)):
            pass

    asyncio.run(main())
    assert len(seen) == 2


def test_the_loop_is_as_good_as_the_bare_iterable(session):
    async def main():
        loop = batches(Numbers(2))
        assert (len(loop), loop.rate, bool(loop)) == (2, 0.5, True)
        assert [item async for item in loop] == [item async for item in loop] == [0, 1]
        with pytest.raises(TypeError, match="not iterable"):
            iter(loop)
        with pytest.raises(TypeError, match="async"):
            aiter(batches([1]))

    asyncio.run(main())
    gc.collect()


def test_items_may_be_awaited_of_the_loop_itself(session):
    async def main():
        loop = batches(numbers(4))
        assert await anext(loop) == 0
        mark("item", 0)
        assert await anext(loop) == 1
        assert [item async for item in loop] == [2, 3]
        assert await anext(loop, "no more") == "no more"
        with pytest.raises(TypeError, match="async"):
            anext(batches([1]))
        either = batches(Either())
        assert (next(either), await anext(either), next(either)) == ("a", 0, "b")

    asyncio.run(main())
    assert session.picture() == tree("""
        cirron.session
          batch[0] | item=0
          batch[1]
          batch[2]
          batch[3]
          batch[0]
            batch[0]
              batch[1]
    """)


class Either(Numbers):
    """With items, and with items to await."""

    def __iter__(self):
        return iter("ab")


def test_the_loop_is_iterable_in_the_ways_of_what_it_wraps(session):
    wrapped = [[1], (number for number in "ab"), numbers(1), Numbers(), Either()]
    for kind in (Iterable, AsyncIterable):
        assert [isinstance(batches(each), kind) for each in wrapped] == [
            isinstance(each, kind) for each in wrapped
        ]

    async def main():
        assert list(batches(Either())) == ["a", "b"]
        assert [item async for item in batches(Either())] == [0, 1]

    asyncio.run(main())


def test_nothing_is_recorded_without_a_session():
    async def main():
        return [item async for item in batches(numbers(3))]

    assert asyncio.run(main()) == [0, 1, 2]
