"""What a mark's value becomes."""

import enum
import math
import sys
from collections import namedtuple
from decimal import Decimal
from fractions import Fraction
from types import ModuleType

import numpy as np
import pytest

from cirron._recorder import mark, scope
from support.recorders import run_program


def recorded(session, value):
    """Type and value of a mark, the non-finite ones by name."""
    mark("m", value)
    found = session.mark("m")
    return found.value_type, found.value_nonfinite or found.value


class Colour(enum.Enum):
    RED = "red"
    NUMBER = 7
    NESTED = Decimal("1.5")


class Level(enum.IntEnum):
    HIGH = 3


class Word(enum.StrEnum):
    YES = "yes"


class OwnFloat(float):
    pass


class OwnInt(int):
    pass


class OwnText(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, ("float", 0.1)),
        (2.0, ("float", 2.0)),
        (-0.0, ("float", -0.0)),
        (5e-324, ("float", 5e-324)),
        (sys.float_info.max, ("float", sys.float_info.max)),
        (3, ("int", 3)),
        (2**63 - 1, ("int", 2**63 - 1)),
        (-(2**63), ("int", -(2**63))),
        (True, ("bool", True)),
        (False, ("bool", False)),
        ("text", ("string", "text")),
        ("", ("string", "")),
        (OwnFloat(1.5), ("float", 1.5)),
        (OwnInt(4), ("int", 4)),
        (OwnText("own"), ("string", "own")),
        (None, ("float", None)),
    ],
)
def test_plain_values_keep_their_type(session, value, expected):
    assert recorded(session, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(math.nan, "nan"), (-math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")]
)
def test_floats_that_are_no_numbers_are_null_and_named(session, value, expected):
    mark("m", value)
    found = session.mark("m")
    assert (found.value_type, found.value, found.value_nonfinite) == ("float", None, expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**63, 2.0**63),
        (-(2**63) - 1, -(2.0**63)),
        (10**300, 1e300),
        (10**400, "inf"),
        (-(10**400), "-inf"),
    ],
)
def test_integers_beyond_64_bits_become_floats(session, value, expected):
    assert recorded(session, value) == ("float", expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.5), ("float", 0.5)),
        (np.float32(0.5), ("float", 0.5)),
        (np.float16(0.5), ("float", 0.5)),
        (np.longdouble(0.5), ("float", 0.5)),
        (np.int64(-3), ("int", -3)),
        (np.uint8(200), ("int", 200)),
        (np.uint64(2**64 - 1), ("float", 2.0**64)),
        (np.bool_(1), ("bool", True)),
        (np.str_("text"), ("string", "text")),
        (np.float32("nan"), ("float", "nan")),
        (np.array(1.5), ("float", 1.5)),
        (np.array(7), ("int", 7)),
        (np.array([2.5]), ("float", 2.5)),
        (np.array([[True]]), ("bool", True)),
    ],
)
def test_numpy_scalars_and_arrays_of_one_element(session, value, expected):
    assert recorded(session, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.25"), ("float", 1.25)),
        (Decimal("NaN"), ("float", "nan")),
        (Decimal("sNaN"), ("float", "nan")),
        (Decimal("-Infinity"), ("float", "-inf")),
        (Decimal("1e999"), ("float", "inf")),
        (Fraction(3, 4), ("float", 0.75)),
        (Fraction(10**400), ("float", "inf")),
        (Colour.RED, ("string", "red")),
        (Colour.NUMBER, ("int", 7)),
        (Colour.NESTED, ("float", 1.5)),
        (Level.HIGH, ("int", 3)),
        (Word.YES, ("string", "yes")),
    ],
)
def test_numbers_of_the_standard_library_and_enums(session, value, expected):
    assert recorded(session, value) == expected


class TestText:
    def test_is_cut_at_256_bytes(self, session):
        assert recorded(session, "x" * 300) == ("string", "x" * 256)

    @pytest.mark.parametrize(
        ("character", "kept"), [("é", 128), ("€", 85), ("😀", 64)], ids=["2 bytes", "3 bytes", "4 bytes"]
    )
    def test_is_cut_between_characters(self, session, character, kept):
        assert recorded(session, character * 200) == ("string", character * kept)
        assert len((character * kept).encode()) <= 256

    def test_a_character_that_straddles_the_limit_goes_whole(self, session):
        assert recorded(session, "x" * 254 + "€") == ("string", "x" * 254)

    def test_of_exactly_256_bytes_is_kept(self, session):
        assert recorded(session, "x" * 254 + "é") == ("string", "x" * 254 + "é")

    @pytest.mark.parametrize(
        "text", ["a\0b", "\x01\x1f\x7f", '"\\/\b\f\n\r\t', "\u2028\ufeff\uffff", "日本語 😀"]
    )
    def test_any_character_comes_back(self, session, text):
        assert recorded(session, text) == ("string", text)

    @pytest.mark.parametrize("text", ["a\ud800b", "\udfff", "\ud83d\ud83d\ude00"])
    def test_a_lone_surrogate_does_not_spoil_the_rest(self, session, text):
        value_type, value = recorded(session, text)
        assert value_type == "string"
        assert (len(value), [c for c in value if c in "ab"]) == (len(text), [c for c in text if c in "ab"])


class Opaque:
    pass


class TestRejection:
    @pytest.mark.parametrize(
        ("value", "type_name"),
        [
            ([1, 2], "list"),
            ({}, "dict"),
            (b"bytes", "bytes"),
            (1j, "complex"),
            (np.complex64(1), "complex64"),
            (np.array([1, 2]), "ndarray"),
            (np.array([]), "ndarray"),
            (np.datetime64("2020-01-01"), "datetime64"),
            (Opaque, "type"),
            (namedtuple("Pair", "a b")(1, 2), "Pair"),
            (print, "builtin_function_or_method"),
        ],
    )
    def test_the_name_of_its_type_stands_for_what_no_mark_can_hold(self, session, value, type_name):
        value_type, recorded_name = recorded(session, value)
        assert value_type == "string"
        assert recorded_name.rpartition(".")[2] == type_name

    def test_is_counted_and_warned_of_once(self, session):
        mark("a", [1])
        mark("b", {})
        assert session.counter("marks_rejected") == 2
        (warning,) = session.recorder.take_warnings()
        assert "list" in warning

    def test_is_in_the_counters_of_the_batch(self, session):
        mark("a", Opaque())
        (batch,) = session.batches()
        assert batch.counters.marks_rejected == 1

    def test_an_object_that_fails_when_it_is_looked_at_is_rejected_too(self, session):
        class Hostile:
            def __getattribute__(self, name):
                raise RuntimeError(name)

        mark("a", Hostile())
        assert session.counter("marks_rejected") == 1
        assert session.mark("a").value.endswith("Hostile")

    def test_a_very_long_type_name_is_cut(self, session):
        mark("a", type("T" * 300, (), {})())
        assert session.mark("a").value == "T" * 256

    def test_marks_go_on_after_it(self, session):
        mark("a", Opaque())
        mark("b", 1)
        assert session.mark("b").value == 1


class TestKind:
    def test_is_point_unless_told_otherwise(self, session):
        mark("a", 1)
        mark("b", 1, "point")
        mark("c", 1, "summary")
        mark("d", 1, kind="summary")
        mark("e", 1, kind=str(b"summary", "ascii"))
        assert [mark.kind for mark in session.marks()] == ["point", "point", "summary", "summary", "summary"]

    @pytest.mark.parametrize("kind", ["Summary", "", "series", 1, [], math.nan, b"point", {"summary": 1}])
    def test_anything_else_is_recorded_as_a_point_counted_and_warned_of_once(self, session, kind):
        mark("a", 1, kind)
        mark("b", 2, kind=kind)
        (warning,) = session.recorder.take_warnings()
        assert "kind" in warning
        assert "'point'" in warning
        assert session.counter("marks_rejected") == 2
        assert session.picture() == "cirron.session | a=1 | b=2"

    def test_none_means_the_default(self, session):
        mark("a", 1, None)
        assert session.mark("a").kind == "point"


@pytest.fixture
def library(monkeypatch):
    """Puts an array type under a library's name; the real one is not installed where the tests run."""

    def make(module_name, type_name, array_type):
        module = ModuleType(module_name)
        setattr(module, type_name, array_type)
        monkeypatch.setitem(sys.modules, module_name, module)

    return make


class CpuTensor:
    class device:  # noqa: N801 - as in torch
        type = "cpu"

    def __init__(self, *values):
        self.values = values

    def numel(self):
        return len(self.values)

    def item(self):
        return self.values[0]


def test_a_torch_scalar_in_host_memory(session, library):
    library("torch", "Tensor", CpuTensor)
    assert recorded(session, CpuTensor(0.25)) == ("float", 0.25)


def test_a_torch_tensor_of_several_elements_is_rejected(session, library):
    library("torch", "Tensor", CpuTensor)
    assert recorded(session, CpuTensor(1, 2))[0] == "string"
    assert session.counter("marks_rejected") == 1


class PendingArray:
    """A JAX array that is being computed."""

    size = 1

    def is_ready(self):
        return False

    def item(self):
        raise AssertionError("the user's thread waited for the device")


class TestDeferredValues:
    @pytest.fixture(autouse=True)
    def jax(self, library):
        library("jax", "Array", PendingArray)

    def test_are_handed_to_the_drain_instead_of_being_waited_for(self, session):
        mark("loss", PendingArray())
        ((key, _),) = session.recorder.take_deferred()
        session.recorder.resolve(key, 0.5)
        assert (session.mark("loss").value_type, session.mark("loss").value) == ("float", 0.5)

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (3, ("int", 3)),
            (True, ("bool", True)),
            ("x" * 300, ("string", "x" * 256)),
            (None, ("float", None)),
        ],
    )
    def test_may_turn_out_to_be_of_any_kind(self, session, answer, expected):
        mark("loss", PendingArray())
        ((key, _),) = session.recorder.take_deferred()
        session.recorder.resolve(key, answer)
        assert (session.mark("loss").value_type, session.mark("loss").value) == expected

    def test_hold_back_what_follows_on_their_thread(self, session):
        mark("loss", PendingArray())
        with scope("step"):
            mark("after", 1)
        assert session.recorder.drain() == 0
        ((key, _),) = session.recorder.take_deferred()
        session.recorder.resolve(key, 0.5)
        assert session.recorder.drain() == 1
        assert session.picture() == "cirron.session | loss=0.5\n  step | after=1"

    def test_keep_their_order_when_they_are_resolved_out_of_order(self, session):
        for number in range(4):
            mark("loss", PendingArray(), number=number)
        for key, _ in reversed(session.recorder.take_deferred()):
            session.recorder.resolve(key, key)
        assert [mark.attrs["number"] for mark in session.marks("loss")] == [0, 1, 2, 3]
        assert [mark.value for mark in session.marks("loss")] == sorted(
            m.value for m in session.marks("loss")
        )

    def test_are_offered_until_they_are_resolved(self, session):
        mark("loss", PendingArray())
        (first,) = session.recorder.take_deferred()
        assert session.recorder.take_deferred() == [first]
        session.recorder.resolve(first[0], 1)
        assert session.recorder.take_deferred() == []

    def test_may_be_resolved_twice_and_by_a_wrong_key(self, session):
        mark("loss", PendingArray())
        ((key, _),) = session.recorder.take_deferred()
        session.recorder.resolve(key + 100, 9)
        session.recorder.resolve(key, 1)
        session.recorder.resolve(key, 2)
        assert session.mark("loss").value == 1

    def test_that_are_never_resolved_are_null_and_say_so(self, session):
        mark("loss", PendingArray(), split="train")
        found = session.mark("loss")
        assert (found.value, found.attrs) == (None, {"split": "train", "cirron.unresolved": True})

    def test_are_let_go_when_their_mark_is_dropped(self, new_session):
        session = new_session(ring_marks=1)
        for _ in range(20_000):
            mark("loss", PendingArray())
        dropped = session.counter("marks_dropped")
        assert dropped > 0
        assert len(session.recorder.take_deferred()) == 20_000 - dropped

    def test_of_a_dead_process_are_null_and_say_so(self, root):
        result = run_program(
            root,
            """
            import types, os, signal
            class Array:
                size = 1
                def is_ready(self): return False
            sys.modules["jax"] = types.SimpleNamespace(Array=Array)
            recorder = start()
            mark("loss", Array())
            os.kill(os.getpid(), signal.SIGKILL)
            """,
        )
        assert result.returncode == -9
        (journal,) = (root / "journal").iterdir()
        from cirron._recorder import recover
        from support.spool_pictures import batches_of

        recover(str(journal), str(root / "spool"))
        (batch,) = batches_of(root / "spool")
        assert [(mark.value, mark.attrs) for mark in batch.marks] == [(None, {"cirron.unresolved": True})]


def test_the_value_is_taken_when_it_is_marked(session):
    array = np.array(1.0)
    with scope("step"):
        mark("m", array)
        array[...] = 2.0
    assert session.mark("m").value == 1.0
