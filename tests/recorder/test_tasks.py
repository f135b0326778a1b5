"""The current scope follows the context: of a task, of a copied context, of a thread."""

import asyncio
import contextvars
import gc

import pytest

from cirron._recorder import epochs, mark, scope
from support.recorders import in_thread, run_program, tree
from support.spool_pictures import draw


def test_interleaved_tasks_each_have_their_own_scopes(session):
    async def task(number):
        with scope("task", number):
            await asyncio.sleep(0)
            with scope("inner", number):
                await asyncio.sleep(0)
                mark("m", number)
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(task(number) for number in range(3)))

    asyncio.run(main())
    assert session.picture() == tree("""
        cirron.session
          task[0]
            inner[0] | m=0
          task[1]
            inner[1] | m=1
          task[2]
            inner[2] | m=2
    """)


def test_a_task_begins_in_the_scope_that_was_open_where_it_was_made(session):
    async def task():
        mark("from the task", 1)
        with scope("inside"):
            pass

    async def main():
        with scope("request"):
            mark("here", 0)
            made = asyncio.create_task(task())
            await made

    asyncio.run(main())
    assert session.picture() == tree("""
        cirron.session
          request | here=0 | from the task=1
            inside
    """)


def test_a_task_that_outlives_that_scope_still_belongs_to_it(session):
    async def task(go_on):
        mark("early", 1)
        await go_on.wait()
        mark("late", 2)

    async def main():
        go_on = asyncio.Event()
        with scope("request"):
            made = asyncio.create_task(task(go_on))
            await asyncio.sleep(0)
        go_on.set()
        await made
        mark("outside", 3)

    asyncio.run(main())
    assert session.picture() == "cirron.session | outside=3\n  request | early=1 | late=2"


def test_two_hundred_tasks_at_once_lose_and_mix_nothing(session):
    async def task(number):
        with scope("task", number):
            for step in range(5):
                with scope("step", step):
                    await asyncio.sleep(0)
                    mark("number", number)

    async def main():
        await asyncio.gather(*(task(number) for number in range(200)))

    asyncio.run(main())
    spans = {span.id: span for span in session.spans()}
    marks = session.marks("number")
    assert len(marks) == 1000
    assert all(spans[spans[mark.span_id].parent_id].index == mark.value for mark in marks)


def test_a_task_group_inside_a_scope(session):
    async def task(number):
        with scope("task", number):
            await asyncio.sleep(0)

    async def main():
        with scope("group"):
            async with asyncio.TaskGroup() as group:
                for number in range(2):
                    group.create_task(task(number))

    asyncio.run(main())
    assert session.picture() == tree("""
        cirron.session
          group
            task[0]
            task[1]
    """)


def test_a_cancelled_task_closes_its_scopes(session):
    async def task():
        with scope("task"), scope("inner"):
            await asyncio.Event().wait()

    async def main():
        made = asyncio.create_task(task())
        await asyncio.sleep(0)
        made.cancel()
        with pytest.raises(asyncio.CancelledError):
            await made

    asyncio.run(main())
    assert session.picture() == tree("""
        cirron.session
          task error='CancelledError'
            inner error='CancelledError'
    """)


def test_a_thread_that_a_task_sends_work_to_continues_its_scope(session):
    def work():
        mark("in thread", 1)
        with scope("work"):
            pass

    async def main():
        with scope("request"):
            await asyncio.to_thread(work)

    asyncio.run(main())
    assert session.picture() == "cirron.session\n  request | in thread=1\n    work"


def test_a_copied_context_keeps_the_scope_of_its_first_operation(session):
    with scope("outer"):
        context = contextvars.copy_context()
        context.run(mark, "first", 0)
    context.run(mark, "second", 1)
    mark("outside", 2)
    assert session.picture() == "cirron.session | outside=2\n  outer | first=0 | second=1"


def test_a_copied_context_whose_scope_closed_before_its_first_operation_belongs_to_what_is_open_around(
    session,
):
    with scope("outer"):
        with scope("inner"):
            context = contextvars.copy_context()
        context.run(mark, "copied", 1)
    assert session.picture() == "cirron.session\n  outer | copied=1\n    inner"


def test_a_context_may_be_run_while_the_scope_it_was_copied_in_is_open(session):
    def work():
        with scope("in copy"):
            mark("m", 1)

    with scope("outer"):
        contextvars.copy_context().run(work)
        mark("back", 2)
    assert session.picture() == "cirron.session\n  outer | back=2\n    in copy | m=1"


def test_an_empty_context_begins_under_the_session(session):
    with scope("outer"):
        contextvars.Context().run(mark, "m", 1)
    assert session.picture() == "cirron.session | m=1\n  outer"


def test_a_scope_entered_in_one_context_may_be_left_in_another(session):
    handle = scope("crossing")

    def enter():
        handle.__enter__()
        mark("inside", 1)

    contextvars.copy_context().run(enter)
    mark("outside", 2)
    with scope("here"):
        handle.__exit__(None, None, None)
        mark("here still", 3)
    assert session.picture() == tree("""
        cirron.session | outside=2
          crossing | inside=1
          here | here still=3
    """)


def test_a_scope_left_open_in_a_context_that_is_gone_can_still_be_left(session):
    handle = scope("crossing")
    contextvars.copy_context().run(handle.__enter__)
    gc.collect()
    handle.__exit__(None, None, None)
    mark("outside", 1)
    assert session.picture() == "cirron.session | outside=1\n  crossing"


def test_async_generators_hold_their_scope_across_items(session):
    async def items():
        with scope("generator"):
            for number in range(2):
                mark("item", number)
                yield number

    async def main():
        with scope("consumer"):
            async for _ in items():
                pass
        mark("outside", 1)

    asyncio.run(main())
    assert session.picture() == tree("""
        cirron.session | outside=1
          consumer
            generator | item=0 | item=1
    """)


def test_an_async_generator_that_is_never_finished_is_closed_with_the_loop(session):
    async def items():
        with scope("generator"):
            yield 1
            yield 2

    kept = []

    async def main():
        kept.append(items())
        await anext(kept[0])

    asyncio.run(main())
    mark("outside", 1)
    assert session.picture() == "cirron.session | outside=1\n  generator"


def test_async_context_managers_nest(session):
    async def main():
        async with asyncio.timeout(60):
            with scope("inside"):
                await asyncio.sleep(0)
                mark("m", 1)

    asyncio.run(main())
    assert session.picture() == "cirron.session\n  inside | m=1"


def test_callbacks_of_the_loop_belong_to_where_they_were_scheduled(session):
    async def main():
        done = asyncio.Event()
        with scope("request"):
            mark("here", 0)
            asyncio.get_running_loop().call_soon(lambda: (mark("callback", 1), done.set()))
            await done.wait()

    asyncio.run(main())
    assert session.picture() == "cirron.session\n  request | here=0 | callback=1"


def test_loops_on_many_threads(session):
    async def task(number):
        with scope("task", number):
            await asyncio.sleep(0)
            mark("number", number)

    async def main(start):
        await asyncio.gather(*(task(start + number) for number in range(10)))

    for start in range(0, 50, 10):
        in_thread(asyncio.run, main(start))
    spans = {span.id: span.index for span in session.spans()}
    assert all(spans[mark.span_id] == mark.value for mark in session.marks("number"))
    assert len(session.marks("number")) == 50


def test_an_epoch_in_a_task_is_still_no_child_of_an_epoch(session):
    async def inner():
        for _ in epochs(range(1)):
            mark("inner", 1)

    async def main():
        for _ in epochs(range(1)):
            mark("outer", 1)
            await asyncio.create_task(inner())

    asyncio.run(main())
    assert session.picture() == tree("""
        cirron.session
          epoch[0] | outer=1
          epoch[0] | inner=1
    """)


class TestContextsThatAreCopiedBack:
    """Some frameworks copy every variable of a finished context into the current one; asgiref does."""

    def run(self, root, body):
        result = run_program(root, body)
        assert (result.returncode, result.stderr) == (0, "")
        return draw(root / "spool")

    def test_marks_still_find_the_open_scope(self, root):
        picture = self.run(
            root,
            """
            import contextvars
            def work():
                with scope("work"):
                    mark("m", 1)
            def copy_back(context):
                for variable, value in context.items():
                    variable.set(value)
            def request():
                with scope("request"):
                    mark("before", 1)
                    context = contextvars.copy_context()
                    context.run(work)
                    mark("between", 2)
                    copy_back(context)
                    del context
                    mark("after", 3)
                mark("outside", 4)
            recorder = start()
            contextvars.copy_context().run(request)
            recorder.close("completed")
            """,
        )
        assert picture == tree("""
            cirron.session | outside=4
              request | before=1 | between=2 | after=3
                work | m=1
        """)

    def test_scopes_that_were_open_meanwhile_close(self, root):
        picture = self.run(
            root,
            """
            import contextvars
            def request():
                with scope("outer"), scope("inner"):
                    context = contextvars.copy_context()
                    context.run(mark, "in copy", 1)
                    mark("between", 2)
                    for variable, value in context.items():
                        variable.set(value)
                    context = None
                mark("outside", 3)
            recorder = start()
            contextvars.copy_context().run(request)
            recorder.close("completed")
            """,
        )
        assert picture == tree("""
            cirron.session | outside=3
              outer
                inner | in copy=1 | between=2
        """)
