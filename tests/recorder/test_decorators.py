"""A scope decorates functions of every kind: each call opens one of its own."""

import asyncio
import contextlib
import functools
import inspect

import pytest

from cirron._recorder import mark, scope, set_default
from support.recorders import Session, tree


def test_each_call_of_a_function_opens_a_scope(session):
    @scope("work", 2, phase="train")
    def work(value):
        mark("value", value)
        return value + 1

    assert [work(1), work(2)] == [2, 3]
    assert session.picture() == tree("""
        cirron.session
          work[2] phase='train' | value=1
          work[2] phase='train' | value=2
    """)


def test_recursion_nests(session):
    @scope("down")
    def down(levels):
        if levels > 1:
            down(levels - 1)

    down(3)
    assert session.picture() == tree("""
        cirron.session
          down
            down
              down
    """)


def test_an_exception_closes_the_scope_and_passes(session):
    @scope("work")
    def work():
        raise KeyError("x")

    with pytest.raises(KeyError):
        work()
    mark("outside", 1)
    assert session.picture() == "cirron.session | outside=1\n  work error='KeyError'"


def test_an_async_function_holds_its_scope_open_while_it_waits(session):
    @scope("request")
    async def request(number):
        await asyncio.sleep(0)
        mark("number", number)
        await asyncio.sleep(0)

    async def main():
        await asyncio.gather(request(1), request(2))

    asyncio.run(main())
    spans = {span.id: span.name for span in session.spans()}
    assert [spans[mark.span_id] for mark in session.marks("number")] == ["request", "request"]
    assert len({mark.span_id for mark in session.marks("number")}) == 2


def test_a_generators_scope_opens_at_the_first_item_and_ends_with_it(session):
    @scope("items")
    def items():
        yield 1
        mark("second", 1)
        yield 2

    made = items()
    mark("before", 0)
    assert list(made) == [1, 2]
    mark("after", 2)
    assert session.picture() == "cirron.session | before=0 | after=2\n  items | second=1"


def test_a_generator_that_is_closed_early_ends_its_scope(session):
    @scope("items")
    def items():
        yield 1
        yield 2

    made = items()
    next(made)
    made.close()
    mark("after", 1)
    assert session.picture() == "cirron.session | after=1\n  items"


def test_a_generator_still_takes_what_is_sent_and_returns_its_value(session):
    @scope("items")
    def items():
        got = yield 1
        return got

    made = items()
    next(made)
    with pytest.raises(StopIteration) as stop:
        made.send("sent")
    assert stop.value.value == "sent"
    assert session.picture() == "cirron.session\n  items"


def test_an_async_generator_has_its_scope_too(session):
    @scope("items")
    async def items():
        yield 1
        mark("second", 1)
        yield 2

    async def main():
        return [item async for item in items()]

    assert asyncio.run(main()) == [1, 2]
    assert session.picture() == "cirron.session\n  items | second=1"


def test_an_async_generator_that_is_closed_early_ends_its_scope(session):
    @scope("items")
    async def items():
        yield 1
        yield 2

    async def main():
        async with contextlib.aclosing(items()) as made:
            await anext(made)
        mark("after", 1)

    asyncio.run(main())
    assert session.picture() == "cirron.session | after=1\n  items"


def test_methods_class_methods_and_static_methods(session):
    class Model:
        size = 3

        @scope("method")
        def method(self):
            return self.size

        @classmethod
        @scope("class method")
        def below(cls):
            return cls.size

        @scope("class method")
        @classmethod
        def above(cls):
            return cls.size

        @staticmethod
        @scope("static method")
        def static_below():
            return 4

        @scope("static method")
        @staticmethod
        def static_above():
            return 4

    model = Model()
    assert (model.method(), model.below(), Model.above(), model.static_below(), Model.static_above()) == (
        3,
        3,
        3,
        4,
        4,
    )
    assert session.picture() == tree("""
        cirron.session
          method
          class method
          class method
          static method
          static method
    """)


def test_a_callable_object_and_a_partial(session):
    class Callable:
        def __call__(self):
            return 5

    assert scope("object")(Callable())() == 5
    assert scope("partial")(functools.partial(int, "6"))() == 6
    assert session.picture() == "cirron.session\n  object\n  partial"


def test_the_function_keeps_its_name_and_kind(session):
    @scope("work")
    async def documented(number: int) -> int:
        """What it does."""
        return number

    assert (documented.__name__, documented.__doc__) == ("documented", "What it does.")
    assert inspect.iscoroutinefunction(documented)
    assert list(inspect.signature(documented).parameters) == ["number"]


def test_a_function_decorated_before_recording_began_is_recorded_afterwards(root):
    @scope("early")
    def early():
        mark("m", 1)

    early()
    session = Session(root)
    early()
    session.end()
    early()
    assert session.picture() == "cirron.session\n  early | m=1"


def test_a_call_that_began_before_recording_did_is_not_recorded(root):
    @scope("early")
    def early():
        session = Session(root)
        mark("m", 1)
        return session

    assert early().picture() == "cirron.session | m=1"


def test_a_decorated_function_may_run_while_nothing_is_recorded():
    set_default(None)

    @scope("work")
    def work():
        return 1

    assert work() == 1


def test_decorators_stack(session):
    @scope("outer")
    @scope("inner")
    def work():
        mark("m", 1)

    work()
    assert session.picture() == "cirron.session\n  outer\n    inner | m=1"


@pytest.mark.parametrize("wrong", [1, "name", None, int, type("C", (), {})])
def test_what_is_no_function_is_refused_where_it_is_decorated(session, wrong):
    with pytest.raises(TypeError, match="a scope decorates functions"):
        scope("work")(wrong)


def test_calling_a_scope_with_anything_else_is_refused(session):
    with pytest.raises(TypeError, match="one function"):
        scope("work")(1, 2)
    with pytest.raises(TypeError, match="one function"):
        scope("work")(function=print)
