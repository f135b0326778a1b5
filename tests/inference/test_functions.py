"""A decorated function is the function that it was, in all that a program can see of it."""

import asyncio
import copy
import functools
import inspect
import pickle
import typing
import warnings

import pytest

import cirron as ci


@ci.inference
def documented(text: "str", *, limit: int = 3) -> "list[str]":
    """Words of a text."""
    return text.split()[:limit]


@ci.inference
async def awaited(number: int) -> int:
    """The next number."""
    await asyncio.sleep(0)
    return number + 1


@ci.inference
def counted(number):
    """Numbers below another."""
    received = []
    while len(received) < number:
        received.append((yield len(received)))
    return received


@ci.inference
async def streamed(number):
    """Numbers below another, in time."""
    for i in range(number):
        await asyncio.sleep(0)
        yield i


@pytest.fixture(params=[False, True], ids=["without a session", "in a session"])
def session(request):
    if request.param:
        ci.profile(frameworks=[])
    yield request.param
    ci.shutdown()


def test_name_text_signature_and_hints_are_the_functions(session):
    assert (documented.__name__, documented.__qualname__, documented.__module__, documented.__doc__) == (
        "documented", "documented", __name__, "Words of a text.",
    )  # fmt: skip
    assert str(inspect.signature(documented)) == "(text: 'str', *, limit: int = 3) -> 'list[str]'"
    assert typing.get_type_hints(documented) == {"text": str, "limit": int, "return": list[str]}
    assert repr(documented) == repr(documented.__wrapped__)


def test_inspection_takes_it_for_a_function_of_its_kind():
    assert all(inspect.isfunction(each) for each in (documented, awaited, counted, streamed))
    assert inspect.iscoroutinefunction(awaited)
    assert asyncio.iscoroutinefunction(awaited)
    assert inspect.isgeneratorfunction(counted)
    assert inspect.isasyncgenfunction(streamed)
    assert not inspect.iscoroutinefunction(documented)


def test_it_can_be_pickled_and_copied_as_a_function_can():
    assert pickle.loads(pickle.dumps(documented)) is documented
    assert copy.deepcopy(documented) is documented


def test_what_is_returned_is_the_very_object(session):
    value = object()

    @ci.inference
    def give():
        return value

    assert give() is value


def test_arguments_arrive_as_they_are_passed(session):
    @ci.inference
    def given(*args, **kwargs):
        return args, kwargs

    assert given(1, *[2], a=3, request_id="r") == ((1, 2), {"a": 3, "request_id": "r"})


def test_a_coroutine_is_a_coroutine_and_bears_the_functions_name(session):
    made = awaited(1)
    assert inspect.iscoroutine(made)
    assert (made.__name__, made.__qualname__) == ("awaited", "awaited")
    assert asyncio.run(made) == 2


def test_a_coroutine_that_is_never_awaited_says_so_once(session):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        awaited(1)
    assert [str(each.message) for each in said] == ["coroutine 'awaited' was never awaited"]


def test_wrong_arguments_are_refused_at_the_call(session):
    for function in (documented, awaited, counted, streamed):
        with pytest.raises(TypeError, match=r"missing 1 required positional argument"):
            function()


def test_a_generator_runs_no_line_before_it_is_asked(session):
    ran = []

    @ci.inference
    def lazy():
        ran.append("begun")
        yield 1

    made = lazy()
    assert ran == []
    assert inspect.isgenerator(made)
    assert (next(made), ran) == (1, ["begun"])


def test_a_generator_takes_what_is_sent_and_returns_its_value(session):
    made = counted(2)
    assert (next(made), made.send("a")) == (0, 1)
    with pytest.raises(StopIteration) as stopped:
        made.send("b")
    assert stopped.value.value == ["a", "b"]


def test_a_generator_may_return_a_tuple(session):
    @ci.inference
    def give():
        yield 1
        return (1, 2)

    def delegate():
        return (yield from give())

    made = delegate()
    next(made)
    with pytest.raises(StopIteration) as stopped:
        next(made)
    assert stopped.value.value == (1, 2)


def test_what_is_thrown_in_reaches_the_generator(session):
    @ci.inference
    def stubborn():
        try:
            yield 1
        except KeyError as error:
            yield f"caught {error}"
        return "done"

    made = stubborn()
    next(made)
    assert made.throw(KeyError("x")) == "caught 'x'"
    with pytest.raises(StopIteration) as stopped:
        next(made)
    assert stopped.value.value == "done"


def test_closing_a_generator_runs_its_finally(session):
    ran = []

    @ci.inference
    def tidy():
        try:
            yield 1
        finally:
            ran.append("tidied")

    made = tidy()
    next(made)
    made.close()
    assert ran == ["tidied"]


def test_an_asynchronous_generator_takes_and_throws_as_before(session):
    @ci.inference
    async def echo():
        said = "first"
        while True:
            try:
                said = yield said
            except KeyError:
                said = "caught"

    async def main():
        made = echo()
        assert inspect.isasyncgen(made)
        got = [await anext(made), await made.asend("second"), await made.athrow(KeyError("x"))]
        await made.aclose()
        return got

    assert asyncio.run(main()) == ["first", "second", "caught"]


def test_exceptions_come_out_as_they_were_raised(session):
    error = KeyError("x")

    @ci.inference
    def fail():
        raise error

    @ci.inference
    async def fail_later():
        await asyncio.sleep(0)
        raise error

    for attempt in (fail, lambda: asyncio.run(fail_later())):
        with pytest.raises(KeyError) as caught:
            attempt()
        assert caught.value is error


def test_the_traceback_of_a_plain_function_shows_no_line_of_ours(session):
    @ci.inference
    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError) as caught:
        fail()
    assert [entry.name for entry in caught.traceback][1:] == ["fail"]


def test_methods_of_every_kind_are_bound_as_before(session):
    class Model:
        @ci.inference
        def predict(self, x):
            return (self, x)

        @ci.inference
        @classmethod
        def load(cls):
            return cls

        @staticmethod
        @ci.inference
        def version():
            return 1

    model = Model()
    assert model.predict(1) == (model, 1)
    assert Model.predict(model, x=2) == (model, 2)
    assert (Model.load(), model.load(), model.version(), Model.version()) == (Model, Model, 1, 1)
    assert inspect.ismethod(model.predict)


def test_a_class_stays_itself_and_its_objects_are_called_as_before(session):
    @ci.inference
    class Predictor:
        def __init__(self, factor):
            self.factor = factor

        def __call__(self, x):
            return self.factor * x

    predictor = Predictor(2)
    assert inspect.isclass(Predictor)
    assert (predictor(3), isinstance(predictor, Predictor)) == (6, True)


def test_an_object_that_can_be_called_keeps_its_attributes(session):
    class Scorer:
        weight = 3

        async def __call__(self, x):
            return self.weight * x

    scorer = ci.inference(Scorer())
    assert (scorer.weight, isinstance(scorer, Scorer)) == (3, True)
    assert asyncio.run(scorer(2)) == 6


def test_a_partial_is_decorated_like_its_function(session):
    double = ci.inference(functools.partial(awaited.__wrapped__, 3))
    assert inspect.iscoroutinefunction(double)
    assert asyncio.run(double()) == 4


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="not an object of type int: put the decorator directly above `def`"):
        ci.inference(3)

    class Mute:
        pass

    with pytest.raises(TypeError, match="Mute has no __call__: put the decorator on a method"):
        ci.inference(Mute)


def test_options_that_are_none_are_named_and_ignored(caplog):
    @ci.inference(config={"sample_rate": 2, "rate": 1}, slow_s=-1)
    def answer():
        return 42

    assert answer() == 42
    assert caplog.messages == [
        "inference(): sample_rate=2; accepted is a number from 0 to 1; it is ignored",
        "inference(): there is no option 'rate'; accepted are sample_rate, slow_s; it is ignored",
        "inference(): slow_s=-1; accepted is a number of seconds, 0 or more; it is ignored",
    ]
