"""A tree appears where it was asked for: in the notebook's cell, or on standard output as that can take it."""

import io
import re
import sys

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from cirron.tree import build, print_tree, scopes_of, show, to_html, to_text
from support.recording import Recording, training


class ZMQInteractiveShell(InteractiveShell):
    """What a notebook's kernel runs: known by its name, and publishing to a page instead of a terminal."""


@pytest.fixture
def tree():
    return scopes_of(build([training(2, 10).batch()]))


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """This process as the kernel of a notebook."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    yield from _shell(ZMQInteractiveShell, monkeypatch)


@pytest.fixture
def terminal_shell(tmp_path, monkeypatch):
    """This process as an interactive shell in a terminal."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    yield from _shell(InteractiveShell, monkeypatch)


def _shell(kind, monkeypatch):
    # Without a history file, which the shell would still write to at the end of the process.
    shell = kind.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.display_pub = CapturingDisplayPublisher()
    yield shell
    kind.clear_instance()


class Terminal(io.TextIOWrapper):
    """A terminal that keeps what it was sent."""

    def __init__(self, encoding="utf-8"):
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n")

    def isatty(self):
        return True

    def text(self):
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


def test_a_notebook_cell_gets_html_and_plain_text(tree, notebook, capsys):
    show(tree)
    (output,) = notebook.display_pub.outputs
    assert output["data"] == {"text/plain": to_text(tree), "text/html": to_html(tree)}
    assert capsys.readouterr().out == ""


def test_ipython_in_a_terminal_gets_text(tree, terminal_shell, capsys):
    show(tree)
    assert terminal_shell.display_pub.outputs == []
    assert capsys.readouterr().out == to_text(tree)


def test_a_program_that_has_not_imported_ipython_gets_text(tree, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "IPython")
    show(tree)
    assert capsys.readouterr().out == to_text(tree)
    assert "IPython" not in sys.modules


def test_html_says_the_same_as_the_text(tree):
    import html

    shown = html.unescape(re.sub(r"<[^>]+>", "", to_html(tree)))
    assert [line.rstrip() for line in shown.splitlines()] == to_text(tree).splitlines()


def test_html_escapes_whatever_was_recorded():
    run = Recording()
    span = run.span("</pre></script><script>alert(1)</script>", 0, 1, attrs={"<b>": "<i>&"})
    run.mark(span, "<img src=x onerror=alert(1)>", "<u>")
    page = to_html(scopes_of(build([run.batch()])))
    assert set(re.findall(r"<(/?\w+)", page)) == {"pre", "/pre", "span", "/span"}
    assert "&lt;/script&gt;" in page


def test_html_colours_an_error():
    run = Recording()
    run.span("epoch", 0, 1, attrs={"error": "ValueError"})
    assert '<span style="font-weight:bold;color:#d33">ValueError</span>' in to_html(
        scopes_of(build([run.batch()]))
    )


def test_a_terminal_gets_colours(tree, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    print_tree(tree, terminal)
    assert "\x1b[" in terminal.text()


@pytest.mark.parametrize("refusal", ["environment", "argument", "no terminal"])
def test_there_are_no_colours_where_they_are_not_wanted(tree, monkeypatch, refusal):
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = io.StringIO() if refusal == "no terminal" else Terminal()
    if refusal == "environment":
        monkeypatch.setenv("NO_COLOR", "1")
    print_tree(tree, stream, color=refusal != "argument")
    written = stream.getvalue() if refusal == "no terminal" else stream.text()
    assert "\x1b" not in written
    assert "epoch[0]" in written


def test_the_picture_is_as_wide_as_the_terminal(tree, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    terminal = Terminal()
    print_tree(tree, terminal, color=False)
    assert terminal.text() == to_text(tree, width=60)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_that_knows_no_blocks_gets_plain_characters(encoding):
    run = Recording()
    run.span("训练", 0, 1)
    run.session(0, 2)
    terminal = Terminal(encoding)
    print_tree(scopes_of(build([run.batch()])), terminal, color=False)
    assert terminal.text().splitlines()[1].startswith(r"`- \u8bad\u7ec3")
