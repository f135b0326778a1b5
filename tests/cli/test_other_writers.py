"""The commands on spools that other software wrote, and on damaged ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from cirron.cli import main
from corpus.make_corpus import CASES, Case, write_case
from support.commands import cirron
from support.spool_files import bare_batch, batch, mark, put, session_span, span

SPOOL = Path("foreign")
CHILD, GRANDCHILD = f"{16:032x}", f"{17:032x}"

EVERY_READER = [
    ["traces", "list"],
    ["traces", "view"],
    ["traces", "view", "--flat"],
    ["traces", "view", "--json"],
    ["traces", "export", "--format", "json", "--output", "-"],
]


def of_another_mind(value: Any) -> Any:
    """The same document with its keys the other way round and unknown ones among them, at every level."""
    if isinstance(value, dict):
        turned = {
            key: value[key] if key == "attrs" else of_another_mind(value[key]) for key in reversed(value)
        }
        return {"x-unknown": {"a": [1, None]}} | turned | {"zz": "unknown"}
    return [of_another_mind(each) for each in value] if isinstance(value, list) else value


def written_by_hand(make_batch=bare_batch):
    """Two files of one session, pretty-printed; the parent arrives after its children."""
    step = span(16, "step", index=3, attrs={"k": "v"})
    forward = span(17, "forward", parent_id=CHILD, start_ns=1_016_100, end_ns=1_016_900)
    first = make_batch(1, spans=[forward], marks=[mark(32, "loss", 0.5, span_id=GRANDCHILD)])
    second = make_batch(2, spans=[step, session_span()])
    for document in (first, second):
        name = f"{document['created_ns']:020d}-{document['batch_id']}.json"
        put(SPOOL, json.dumps(of_another_mind(document), indent="\t", ensure_ascii=True).encode(), name)


@pytest.mark.parametrize("make_batch", [bare_batch, batch], ids=["without a session id", "with a session id"])
def test_other_key_order_and_unknown_keys_change_nothing(make_batch, damaged_spools):
    SPOOL.mkdir()
    written_by_hand(make_batch)
    code, out, err = cirron("traces", "view", "--spool", SPOOL)
    assert (code, err, out.splitlines()) == (
        0,
        "",
        [
            "cirron.session  1.00 ms",
            "└─ step[3]      1.00 µs  ▏           <1 %  k=v",
            "   └─ forward    800 ns  ████████    80 %  loss 0.5",
        ],
    )
    assert cirron("traces", "list", "--spool", SPOOL, "--json").code == 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("command", EVERY_READER, ids=" ".join)
def test_what_is_damaged_is_named_and_the_rest_is_shown(case: Case, command, damaged_spools, capsys):
    """In this process, as three hundred others would take minutes."""
    SPOOL.mkdir()
    write_case(case, SPOOL)
    code = main([*command, "--spool", str(SPOOL)])
    out, err = capsys.readouterr()
    assert (code, out != "") == (0, True), err
    named = {
        line.removeprefix("Warning: left out ") for line in err.splitlines() if line.startswith("Warning")
    }
    of_a_pair = {
        problem for problem in named if "was already read from" in problem
    }  # which, depends on the order
    assert named - of_a_pair <= {*case.problems, f"{len(case.problems) - 5} more files"}
    looks_at_all = command[1] != "view" or "--json" in command
    assert named or not case.problems or not looks_at_all


@pytest.mark.parametrize("command", EVERY_READER[1:], ids=" ".join)
def test_a_spool_in_which_nothing_can_be_read_is_a_failure_that_names_the_files(command, damaged_spools):
    SPOOL.mkdir()
    put(SPOOL, b"{")
    code, out, err = cirron(*command, "--spool", SPOOL)
    assert (code, out) == (1, "")
    assert err.splitlines()[0].startswith("Warning: left out 00000000000000000001-")
    assert err.splitlines()[1].startswith("Error: nothing is recorded in foreign")


def test_names_that_a_terminal_would_obey_are_spelled_out(damaged_spools):
    SPOOL.mkdir()
    evil = "\x1b]0;owned\x07\x1b[31m\r\n\u202eevil"
    put(SPOOL, bare_batch(1, spans=[span(16, evil, attrs={evil: evil, "error": evil}), session_span()]))
    for command in (["view", "--no-color"], ["view", "--flat"], ["view", "--name", "x" + evil], ["list"]):
        _, out, err = cirron("traces", *command, "--spool", SPOOL)
        assert not any(character in out + err for character in "\x1b\x07\r\u202e"), command
