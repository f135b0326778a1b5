"""A loop is as good as the iterable that it was made of: whatever is done with either gives the same."""

import copy
import io
import itertools
import operator
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm

import cirron
from cirron._recorder import batches, epochs


class ByIndex:
    """Iterable in the way of old, and with an attribute."""

    rate = 0.5

    def __getitem__(self, index):
        return "abc"[index]


class Endless:
    """With a length that cannot be told."""

    def __iter__(self):
        return itertools.count()

    def __len__(self):
        raise TypeError("endless")


ITERABLES = {
    "a list": lambda: [3, 1, 2],
    "an empty list": list,
    "a tuple": lambda: (1, 2),
    "a range": lambda: range(4),
    "a text": lambda: "ab",
    "a dict": lambda: {"a": 1, "b": 2},
    "a set": lambda: {1, 2},
    "a generator": lambda: (number for number in range(3)),
    "an iterator": lambda: iter([1, 2, 3]),
    "a map": lambda: map(str, [1, 2]),
    "one by index": ByIndex,
    "an endless one": Endless,
    "a number": lambda: 5,
}


def two_at_once(iterable):
    first, second = iter(iterable), iter(iterable)
    return [(next(first, None), next(second, None)) for _ in range(3)]


def left_and_gone_on(iterable):
    for item in iterable:
        return item, first(iterable)
    return None


def first(iterable, count=5):
    return list(itertools.islice(iterable, count))


def delegated(iterable):
    yield from iterable


def sent(iterator):
    return next(iterator), iterator.send(None)


def changed(iterable):
    iterable[0] = 5
    iterable[2] = 6
    del iterable[1]
    return list(iterable)


def gone_on_with(twin):
    """What an iterator gives, and what its twin gives that was made after the first item."""

    def use(iterable):
        iterator = iter(iterable)
        start = first(iterator, 1)
        return start, first(twin(iterator)), first(iterator)

    return use


USES = {
    "items": first,
    "twice": lambda iterable: (first(iterable), first(iterable)),
    "two at once": two_at_once,
    "break and go on": left_and_gone_on,
    "length": len,
    "hint": lambda iterable: operator.length_hint(iterable, 7),
    "truth": bool,
    "contains": lambda iterable: 1 in iterable,
    "does not contain": lambda iterable: "nothing" in list(itertools.islice(iterable, 5)),
    "first by index": lambda iterable: iterable[0],
    "slice": lambda iterable: iterable[1:],
    "backwards": lambda iterable: list(reversed(iterable)),
    "enumerate": lambda iterable: first(enumerate(iterable)),
    "zip": lambda iterable: list(zip("xyz", iterable, strict=False)),
    "chain": lambda iterable: first(itertools.chain(iterable, "z")),
    "cycle": lambda iterable: first(itertools.cycle(iterable)),
    "tee": lambda iterable: [first(each) for each in itertools.tee(iterable)],
    "batched": lambda iterable: first(itertools.zip_longest(*[iter(iterable)] * 2)),
    "unpack": lambda iterable: [*itertools.islice(iterable, 3)],
    "yield from": lambda iterable: first(delegated(iterable)),
    "progress bar": lambda iterable: first(tqdm(iterable, disable=True)),
    "its total": lambda iterable: tqdm(iterable, file=io.StringIO()).total,
    "assignment": changed,
    "copy of its iterator": gone_on_with(copy.copy),
    "deep copy of its iterator": gone_on_with(copy.deepcopy),
    "pickle of its iterator": gone_on_with(lambda iterator: pickle.loads(pickle.dumps(iterator))),
    "attribute": lambda iterable: iterable.rate,
    "keys": lambda iterable: list(iterable.keys()),
    "send": lambda iterable: sent(iter(iterable)),
    "throw": lambda iterable: iterable.throw(KeyError),
    "close": lambda iterable: (iterable.close(), list(iterable)),
}


def outcome(use, iterable):
    """What it gives, or the kind of exception."""
    try:
        return use(iterable)
    except Exception as error:
        return type(error)


def outcomes(make):
    return {name: outcome(use, make()) for name, use in USES.items()}


@pytest.mark.parametrize("loop", [batches, epochs])
@pytest.mark.parametrize("iterable", ITERABLES.values(), ids=ITERABLES)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_it_is_used_as_the_bare_iterable(session, iterable, loop):
    assert outcomes(lambda: loop(iterable())) == outcomes(iterable)
    assert session.recorder.depth() == 0


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda loop: pickle.loads(pickle.dumps(loop))])
def test_a_copy_is_another_loop_of_the_same_kind(session, twin):
    assert list(twin(epochs([1, 2]))) == [1, 2]
    assert session.picture() == "cirron.session\n  epoch[0]\n  epoch[1]"


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda loop: pickle.loads(pickle.dumps(loop))])
def test_a_copy_of_its_iterator_has_scopes_of_its_own(session, twin):
    iterator = iter(epochs(["a", "b"]))
    assert next(iterator) == "a"
    assert list(twin(iterator)) == ["b"]
    assert list(iterator) == ["b"]
    assert session.picture() == "cirron.session\n  epoch[0]\n  epoch[1]\n  epoch[1]"


def test_attributes_are_set_and_deleted_on_the_iterable(session):
    iterable = ByIndex()
    loop = batches(iterable)
    loop.epoch = 3
    assert iterable.epoch == 3
    del loop.epoch
    assert not hasattr(iterable, "epoch")


def test_items_backwards_have_their_scopes(session):
    assert list(reversed(epochs([1, 2]))) == [2, 1]
    assert session.picture() == "cirron.session\n  epoch[0]\n  epoch[1]"


def test_a_loop_goes_on_after_an_error_where_the_iterable_does(session):
    class Loader:
        def __init__(self):
            self.items = iter([1, ValueError("broken"), 2])

        def __iter__(self):
            return self

        def __next__(self):
            item = next(self.items)
            if isinstance(item, Exception):
                raise item
            return item

    iterator = iter(batches(Loader()))
    assert next(iterator) == 1
    with pytest.raises(ValueError, match="broken"):
        next(iterator)
    assert list(iterator) == [2]
    assert session.picture() == "cirron.session\n  batch[0]\n  batch[1] error='ValueError'\n  batch[1]"


def test_closing_a_loop_closes_its_generator(session):
    ended = []

    def load():
        try:
            yield 1
        finally:
            ended.append(True)

    generator = load()
    iterator = iter(batches(generator))
    next(iterator)
    iterator.close()
    assert ended == [True]
    assert session.picture() == "cirron.session\n  batch[0]"


def test_a_copy_of_an_instances_loop_records_there(tmp_path):
    own = cirron.Cirron(output_dir=tmp_path / "own")
    own.profile(frameworks=[])
    assert list(copy.copy(own.batches([1]))) == [1]
    assert [node["name"] for node in own.trace("dict")["roots"][0]["children"]] == ["batch"]
    own.shutdown()


STEPS = ["next", "for", "break", "length_hint", "islice", "send", "close", "again"]


@given(st.lists(st.sampled_from(STEPS), max_size=12), st.integers(0, 6), st.booleans())
def test_any_use_of_its_iterator_is_as_of_the_bare_one(steps, size, is_generator):
    def make():
        return (number for number in range(size)) if is_generator else list(range(size))

    bare, loop = make(), batches(make())
    assert [outcome(step, iterator) for iterator, step in uses(bare, steps)] == [
        outcome(step, iterator) for iterator, step in uses(loop, steps)
    ]


def uses(iterable, steps):
    """One iterator after the other with what to do with it next."""
    iterator = iter(iterable)
    for step in steps:
        if step == "again":
            iterator = iter(iterable)
        else:
            yield iterator, DO[step]


def for_with_break(iterator):
    for item in iterator:
        return item
    return None


DO = {
    "next": next,
    "for": list,
    "break": for_with_break,
    "length_hint": operator.length_hint,
    "islice": lambda iterator: list(itertools.islice(iterator, 2)),
    "send": lambda iterator: iterator.send(None),
    "close": lambda iterator: iterator.close() if hasattr(iterator, "send") else None,
}
