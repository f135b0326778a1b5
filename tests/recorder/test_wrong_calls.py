"""Nothing that is passed to a scope or a mark can make it raise, and nothing is lost uncounted."""

import pytest

from cirron._recorder import batches, mark, scope
from support.recorders import run_program, tree
from support.spool_pictures import draw


class Unhashable:
    __hash__ = None

    def __str__(self):
        return "unhashable"


class Failing:
    def __str__(self):
        raise RuntimeError("no text for you")


class Interrupting:
    def __str__(self):
        raise KeyboardInterrupt


class NotText:
    def __str__(self):
        return 5  # noqa: PLE0307 - that is the point


class Equal:
    """Compares equal to everything, or fails to."""

    def __eq__(self, other):
        raise RuntimeError("not comparable")

    __hash__ = None


class TestNames:
    @pytest.mark.parametrize(
        ("name", "recorded"),
        [
            (5, "5"),
            (None, "None"),
            (b"bytes", "b'bytes'"),
            (1.5, "1.5"),
            ([], "[]"),
            (Unhashable(), "unhashable"),
            (Failing(), "Failing"),
            (NotText(), "NotText"),
            ("", ""),
            ("n" * 300, "n" * 256),
            ("é" * 200, "é" * 128),
            ('"\\\n\0', '"\\\n\0'),
            (type("Sub", (str,), {})("sub"), "sub"),
        ],
    )
    def test_any_object_gives_a_name(self, session, name, recorded):
        with scope(name):
            mark(name, 1)
        assert [span.name.rpartition(".")[2] or span.name for span in session.spans()] == [
            recorded.rpartition(".")[2] or recorded
        ]
        assert session.marks()[0].name == session.spans()[0].name

    def test_a_lone_surrogate_gives_a_name(self, session):
        with scope("a\ud800b"):
            mark("a\ud800b", 1)
        assert (session.spans()[0].name[0], session.spans()[0].name[2]) == ("a", "b")

    def test_scopes_without_a_name_are_recorded_and_counted(self, session):
        with scope():
            mark("m", 1)
        assert session.picture() == "cirron.session\n  ? | m=1"
        assert session.counter("internal_errors") == {"scope without a name": 1}

    @pytest.mark.parametrize(
        "arguments", [dict(), dict(name="m"), dict(value=1), dict(kind="summary"), dict(other=1)]
    )
    def test_marks_without_a_name_or_value_are_counted(self, session, arguments):
        mark(**arguments)
        assert session.counter("marks_rejected") == 1
        (warning,) = session.recorder.take_warnings()
        assert "name" in warning
        assert session.picture() == "cirron.session"

    def test_a_mark_with_only_a_name_is_counted(self, session):
        mark("m")
        assert session.counter("marks_rejected") == 1


class TestIndexes:
    @pytest.mark.parametrize(("index", "recorded"), [(True, 1), (2**63 - 1, 2**63 - 1), (-(2**63), -(2**63))])
    def test_integers(self, session, index, recorded):
        with scope("s", index):
            pass
        assert session.span("s").index == recorded

    def test_objects_that_stand_for_an_integer(self, session):
        class Index:
            def __index__(self):
                return 7

        with scope("s", Index()):
            pass
        assert session.span("s").index == 7

    @pytest.mark.parametrize("index", ["x", 1.5, [], Failing(), 2**63, -(10**30)])
    def test_anything_else_is_left_out(self, session, index):
        with scope("s", index):
            pass
        assert session.span("s").index is None

    def test_what_is_no_integer_is_counted(self, session):
        scope("s", "x")
        scope("s", index=1.5)
        scope("s", 2**70)
        assert sum(session.counter("internal_errors").values()) == 3


class TestTooManyArguments:
    def test_a_scope_keeps_its_name_and_index(self, session):
        with scope("s", 1, 2, 3):
            pass
        assert session.picture() == "cirron.session\n  s[1]"

    def test_a_mark_keeps_what_it_can(self, session):
        mark("m", 1, "summary", 4, 5)
        assert session.picture() == "cirron.session | m=1 summary"

    def test_it_is_counted(self, session):
        scope("s", 1, 2)
        mark("m", 1, "summary", 4)
        counters = session.recorder.counters()
        assert sum(counters["internal_errors"].values()) + counters["marks_rejected"] == 2


class TestHostileObjects:
    def test_a_str_that_raises_gives_the_type_name(self, session):
        with scope("s", a=Failing()):
            mark("m", 1, a=NotText())
        assert [span.attrs["a"].rpartition(".")[2] for span in session.spans()] == ["Failing"]
        assert session.mark("m").attrs["a"].rpartition(".")[2] == "NotText"

    def test_objects_that_cannot_be_compared(self, session):
        with scope("s", Equal(), a=Equal()):
            mark("m", Equal(), Equal(), a=Equal())
        assert len(session.spans()) == 1

    @pytest.mark.parametrize(
        "call",
        [
            lambda: scope(Interrupting()),
            lambda: scope("s", a=Interrupting()),
            lambda: mark(Interrupting(), 1),
            lambda: mark("m", 1, a=Interrupting()),
            lambda: mark("m", 1, **{f"a{number}": 0 for number in range(70)}, b=Interrupting()),
        ],
        ids=["scope name", "scope attribute", "mark name", "mark attribute", "last attribute"],
    )
    def test_a_keyboard_interrupt_inside_of_str_reaches_the_user(self, session, call):
        with scope("outer"):
            with pytest.raises(KeyboardInterrupt):
                call()
            mark("m", 2)
        assert session.picture() == "cirron.session\n  outer | m=2"

    def test_a_str_may_record_by_itself(self, session):
        class Recording:
            def __str__(self):
                with scope("inside str"):
                    mark("deeper", 1)
                return "text"

        with scope("s", a=Recording()):
            mark("m", 1, a=Recording())
            mark(Recording(), 2)
        assert session.picture() == tree("""
            cirron.session
              inside str | deeper=1
              s a='text' | m=1 a='text' | text=2
                inside str | deeper=1
                inside str | deeper=1
        """)

    def test_a_str_may_close_its_own_scope(self, session):
        class Closing:
            def __str__(self):
                outer.__exit__(None, None, None)
                return "text"

        outer = scope("outer")
        outer.__enter__()
        mark("m", 1, a=Closing())
        assert session.picture() == "cirron.session | m=1 a='text'\n  outer"

    def test_deleting_an_object_may_record(self, session):
        class Last:
            def __del__(self):
                mark("deleted", 1)

        with scope("s", a=Last()):
            mark("m", Last())
        assert len(session.marks("deleted")) == 2

    @pytest.mark.parametrize(
        "call",
        [
            'mark("m", 1, a=Closing())',
            "mark(Closing(), 1)",
            "mark(Closing(), 1, a=1)",
            'mark("m", ClosingValue())',
            'scope("s", a=Closing()).__enter__()',
            "scope(Closing(), a=1).__enter__()",
            'with scope("s"): mark("m", 1, "summary", b=2, a=Closing())',
        ],
    )
    def test_a_str_may_end_the_session_and_let_go_of_the_recorder(self, root, call):
        result = run_program(
            root,
            f"""
            def end():
                global recorder
                set_default(None)
                recorder.close("completed")
                del recorder
            class Closing:
                def __str__(self):
                    end()
                    return "closing"
            class ClosingValue:
                @property
                def __class__(self):
                    if "recorder" in globals(): end()
                    return ClosingValue
            recorder = start()
            {call}
            mark("after", 1)
            """,
        )
        assert (result.returncode, result.stderr) == (0, "")
        assert draw(root / "spool").startswith("cirron.session")


def test_a_loop_over_what_is_not_iterable_fails_as_the_loop_itself_would(session):
    with pytest.raises(TypeError, match="not iterable"):
        for _ in batches(5):
            pass
