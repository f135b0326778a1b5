"""Training programs as users write them. Each says in its docstring what its trace looks like."""

import ast
import os
import re
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path

import pytest

from support.spool_pictures import draw

PROGRAMS = sorted(
    path for path in (Path(__file__).parent / "programs").glob("*.py") if not path.stem.startswith("common")
)
HUNG_S = 240


def run(program, code):
    """What the code prints, in the program's place."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(program.parent), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=HUNG_S,
    )
    assert done.returncode == (1 if program.stem == "uncaught" else 0), done.stderr
    return done.stdout


def without_measures(picture):
    """The picture without times and fractions, whose last digits are the processor's affair, nor a compiler's words."""
    picture = re.sub(r"_ns=\d+", "_ns=…", re.sub(r"=-?\d+\.\d+(e-?\d+)?", "=…", picture))
    return re.sub(r"(reason=\".* size)[^\"]*", r"\1…", picture)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_gives_its_tree_and_computes_what_it_computes_without(program):
    code = program.read_text(encoding="utf-8")
    _, _, expected = cleandoc(ast.get_docstring(ast.parse(code))).partition("\n\n")
    printed = run(program, code)
    assert without_measures(draw(Path(".cirron/spool"))) == expected
    assert run(program, re.sub(r"ci\.profile\(.*?\)", "pass", code)) == printed
