"""A scope around each call, for every kind of function; what happens is written into a log."""

import asyncio
import functools
import inspect
from contextlib import contextmanager

import pytest

from cirron._recorder.decorate import decorate


@pytest.fixture
def log():
    return []


@pytest.fixture
def scoped(log):
    """A decorator whose scopes write into the log when they open and how they close."""

    @contextmanager
    def open_scope():
        log.append("open")
        try:
            yield
        except BaseException as error:
            log.append(f"close after {type(error).__name__}")
            raise
        else:
            log.append("close")

    return lambda function: decorate(function, open_scope)


class TestPlainFunctions:
    def test_each_call_has_a_scope_of_its_own(self, scoped, log):
        @scoped
        def add(a, b=1):
            log.append("add")
            return a + b

        assert (add(1), add(1, b=2)) == (2, 3)
        assert log == ["open", "add", "close", "open", "add", "close"]

    def test_an_exception_passes_through_a_closed_scope(self, scoped, log):
        @scoped
        def fail():
            raise KeyError("x")

        with pytest.raises(KeyError):
            fail()
        assert log == ["open", "close after KeyError"]

    def test_the_function_keeps_its_name_text_and_signature(self, scoped):
        @scoped
        def documented(a: int, *, b: str = "") -> None:
            """What it does."""

        assert (documented.__name__, documented.__doc__) == ("documented", "What it does.")
        assert str(inspect.signature(documented)) == "(a: int, *, b: str = '') -> None"

    def test_methods_of_every_kind_are_functions_too(self, scoped, log):
        class Model:
            @scoped
            def forward(self):
                return "forward"

            @scoped
            @classmethod
            def load(cls):
                return cls.__name__

            @scoped
            @staticmethod
            def version():
                return 1

        assert (Model().forward(), Model.load(), Model().version()) == ("forward", "Model", 1)
        assert log == ["open", "close"] * 3

    def test_a_partial_and_a_callable_object_are_functions_too(self, scoped, log):
        class Callable:
            def __call__(self, value):
                return value

        assert scoped(functools.partial(int, base=2))("101") == 5
        assert scoped(Callable())(7) == 7
        assert log == ["open", "close"] * 2


class TestCoroutines:
    def test_the_scope_spans_what_is_awaited(self, scoped, log):
        @scoped
        async def fetch():
            log.append("before")
            await asyncio.sleep(0)
            log.append("after")
            return 7

        assert inspect.iscoroutinefunction(fetch)
        assert asyncio.run(fetch()) == 7
        assert log == ["open", "before", "after", "close"]

    def test_it_opens_when_it_is_awaited_not_when_it_is_made(self, scoped, log):
        @scoped
        async def fetch():
            pass

        coroutine = fetch()
        assert log == []
        coroutine.close()

    def test_a_cancelled_one_closes_its_scope(self, scoped, log):
        @scoped
        async def wait():
            await asyncio.Event().wait()

        async def main():
            task = asyncio.create_task(wait())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())
        assert log == ["open", "close after CancelledError"]

    def test_a_callable_object_may_be_asynchronous(self, scoped, log):
        class Fetch:
            async def __call__(self):
                log.append("fetch")

        asyncio.run(scoped(Fetch())())
        assert log == ["open", "fetch", "close"]


class TestGenerators:
    @pytest.fixture
    def echo(self, scoped, log):
        @scoped
        def echo():
            received = "start"
            while received != "end":
                try:
                    received = yield received
                except KeyError:
                    log.append("thrown")
                    received = "recovered"
                except GeneratorExit:
                    log.append("closed")
                    raise
            return "result"

        return echo

    def test_the_scope_opens_at_the_first_next_and_closes_at_the_end(self, echo, log):
        generator = echo()
        assert log == []
        assert next(generator) == "start"
        assert log == ["open"]
        with pytest.raises(StopIteration) as stop:
            generator.send("end")
        assert stop.value.value == "result"
        assert log == ["open", "close"]

    def test_send_and_throw_reach_the_function(self, echo, log):
        generator = echo()
        next(generator)
        assert generator.send("sent") == "sent"
        assert generator.throw(KeyError("x")) == "recovered"
        generator.close()
        assert log == ["open", "thrown", "closed", "close after GeneratorExit"]

    def test_an_abandoned_one_closes_its_scope(self, echo, log):
        generator = echo()
        next(generator)
        del generator
        assert log == ["open", "closed", "close after GeneratorExit"]

    def test_it_is_still_a_generator_function(self, echo):
        assert inspect.isgeneratorfunction(echo)


class TestAsyncGenerators:
    @pytest.fixture
    def echo(self, scoped, log):
        @scoped
        async def echo():
            received = "start"
            try:
                while received != "end":
                    try:
                        received = yield received
                        await asyncio.sleep(0)
                    except KeyError:
                        log.append("thrown")
                        received = "recovered"
            finally:
                await asyncio.sleep(0)
                log.append("cleaned up")

        return echo

    def test_the_scope_opens_at_the_first_item_and_closes_at_the_end(self, scoped, log):
        @scoped
        async def count():
            for i in range(2):
                yield i

        async def main():
            async for item in count():
                log.append(item)

        asyncio.run(main())
        assert log == ["open", 0, 1, "close"]

    def test_asend_and_athrow_reach_the_function(self, echo, log):
        async def main():
            generator = echo()
            items = [
                await anext(generator),
                await generator.asend("sent"),
                await generator.athrow(KeyError("x")),
            ]
            with pytest.raises(StopAsyncIteration):
                await generator.asend("end")
            return items

        assert asyncio.run(main()) == ["start", "sent", "recovered"]
        assert log == ["open", "thrown", "cleaned up", "close"]

    def test_aclose_reaches_the_function_and_closes_the_scope_after_it(self, echo, log):
        async def main():
            generator = echo()
            await anext(generator)
            await generator.aclose()

        asyncio.run(main())
        assert log == ["open", "cleaned up", "close after GeneratorExit"]

    def test_an_exception_from_the_function_passes_through(self, scoped, log):
        @scoped
        async def fail():
            yield 1
            raise ValueError("x")

        async def main():
            async for _ in fail():
                pass

        with pytest.raises(ValueError, match="x"):
            asyncio.run(main())
        assert log == ["open", "close after ValueError"]

    def test_an_exception_thrown_in_and_not_caught_comes_out_again(self, echo, log):
        async def main():
            generator = echo()
            await anext(generator)
            await generator.athrow(ZeroDivisionError("x"))

        with pytest.raises(ZeroDivisionError):
            asyncio.run(main())
        assert log == ["open", "cleaned up", "close after ZeroDivisionError"]

    def test_a_cancelled_step_closes_the_scope(self, scoped, log):
        @scoped
        async def wait():
            await asyncio.Event().wait()
            yield

        async def main():
            task = asyncio.create_task(anext(wait()))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())
        assert log == ["open", "close after CancelledError"]

    def test_it_is_still_an_async_generator_function(self, echo):
        assert inspect.isasyncgenfunction(echo)


class TestSlips:
    def test_a_class_is_refused_with_a_hint(self, scoped):
        with pytest.raises(TypeError, match=r"not the class .*Model: put it on the methods"):

            @scoped
            class Model:
                pass

    @pytest.mark.parametrize("value", [None, "name", 3, property(lambda self: 1)], ids=repr)
    def test_what_cannot_be_called_is_refused_with_a_hint(self, scoped, value):
        with pytest.raises(
            TypeError, match=f"not an object of type {type(value).__name__}: write `with scope"
        ):
            scoped(value)
