"""Phases inside asyncio: a task has stacks of its own, below the phase in which it was created."""

import asyncio
import contextvars
import gc
import weakref

import pytest

from stormlog.phases import _stacks
from stormlog.phases.runtime import PhaseProtocolError, PhaseRecorder

HERE = {"session_id": "s", "rank": 0}


@pytest.fixture
def recorder():
    return PhaseRecorder()


def test_tasks_may_take_turns(recorder):
    async def work(name, mine, others):
        token, boundary = recorder.enter(**HERE, name=name)
        others.set()
        await mine.wait()
        recorder.exit(token)
        return boundary.path

    async def main():
        first, second = asyncio.Event(), asyncio.Event()
        # "a" enters, "b" enters, "b" leaves, "a" leaves: then the same with "a" leaving first.
        return await asyncio.gather(work("a", first, second), work("b", second, first))

    assert asyncio.run(main()) == [("a",), ("b",)]


def test_a_task_begins_below_the_phase_it_was_created_in(recorder):
    async def work():
        token, inner = recorder.enter(**HERE, name="request")
        recorder.exit(token)
        return inner

    async def main():
        token, outer = recorder.enter(**HERE, name="serve")
        inner = await asyncio.create_task(work())
        recorder.exit(token)
        return outer, inner

    outer, inner = asyncio.run(main())
    assert inner.path == ("serve", "request")
    assert inner.metadata["phase_scope"]["parent_scope_id"] == outer.scope_id


def test_a_task_that_outlives_a_phase_is_below_it_no_more(recorder):
    async def work(go):
        await go.wait()
        return recorder.enter(**HERE, name="request")[1].path

    async def main():
        go = asyncio.Event()
        outer, _ = recorder.enter(**HERE, name="serve")
        inner, _ = recorder.enter(**HERE, name="start")
        task = asyncio.create_task(work(go))
        await asyncio.sleep(0)
        recorder.exit(inner)
        go.set()
        path = await task
        recorder.exit(outer)
        return path

    assert asyncio.run(main()) == ("serve", "request")


def test_a_phase_of_another_task_cannot_be_left(recorder):
    async def leave(token):
        recorder.exit(token)

    async def main():
        token, _ = recorder.enter(**HERE, name="serve")
        with pytest.raises(PhaseProtocolError, match="by another asyncio task"):
            await asyncio.create_task(leave(token))
        recorder.exit(token)

    asyncio.run(main())


def test_a_phase_around_a_whole_loop_is_around_its_tasks(recorder):
    async def main():
        return recorder.enter(**HERE, name="inside")[1].path

    token, _ = recorder.enter(**HERE, name="outside")
    assert asyncio.run(main()) == ("outside", "inside")
    recorder.exit(token)


def test_a_callback_of_the_loop_belongs_to_the_thread(recorder):
    """What is called by the loop itself is in no task, in whatever context it runs."""

    async def main():
        done = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: done.set_result(recorder.exit(token)))
        return await done

    token, _ = recorder.enter(**HERE, name="outside")
    assert asyncio.run(main()).path == ("outside",)


def test_a_thread_of_an_executor_begins_below_the_phase_that_sent_work_to_it(recorder):
    def work():
        token, boundary = recorder.enter(**HERE, name="decode")
        recorder.exit(token)
        return boundary.path

    async def main():
        token, _ = recorder.enter(**HERE, name="serve")
        path = await asyncio.to_thread(work)
        recorder.exit(token)
        return path

    assert asyncio.run(main()) == ("serve", "decode")


def test_a_reset_forgets_the_phases_a_task_was_created_in(recorder):
    async def work():
        return recorder.enter(**HERE, name="request")[1].path

    async def main():
        recorder.enter(**HERE, name="serve")
        task = asyncio.create_task(work())
        recorder.reset()
        return await task

    assert asyncio.run(main()) == ("request",)


def test_two_recorders_do_not_see_each_other(recorder):
    other = PhaseRecorder()

    async def work():
        return recorder.enter(**HERE, name="x")[1].path, other.enter(**HERE, name="y")[1].path

    async def main():
        recorder.enter(**HERE, name="a")
        other.enter(**HERE, name="b")
        return await asyncio.create_task(work())

    assert asyncio.run(main()) == (("a", "x"), ("b", "y"))


def test_finished_tasks_leave_nothing_in_the_recorder(recorder):
    async def work():
        recorder.enter(**HERE, name="abandoned")
        return weakref.ref(asyncio.current_task())

    async def main():
        return [await asyncio.create_task(work()) for _ in range(3)]

    tasks = asyncio.run(main())
    gc.collect()
    assert [task() for task in tasks] == [None] * 3
    assert recorder._owners.within_reach() == [{}]


def test_tasks_that_create_their_successors_keep_no_chain_of_phases(recorder):
    """Each is created inside the phase of the one before, which is closed by the time the next is."""

    async def work(left):
        token, _ = recorder.enter(**HERE, name="tick")
        successor = asyncio.create_task(work(left - 1)) if left else None
        await asyncio.sleep(0)
        recorder.exit(token)
        return await successor if successor else chain(_stacks._innermost.get())

    chains = [contextvars.Context().run(asyncio.run, work(length)) for length in (3, 50)]
    assert chains[0] == chains[1]


def test_phases_that_resets_dropped_are_kept_by_nobody(recorder):
    def chain_after(resets):
        for _ in range(resets):
            recorder.enter(**HERE, name="abandoned")
            recorder.reset()
        recorder.enter(**HERE, name="last")
        return chain(_stacks._innermost.get())

    assert contextvars.Context().run(chain_after, 5) == 1


def chain(phase):
    length = 0
    while phase is not None:
        phase, length = phase.around, length + 1
    return length
