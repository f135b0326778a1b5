"""The front door: what it offers, and what it does not load."""

import subprocess
import sys
from pathlib import Path

import cirron

HEAVY = (
    "typing",
    "dataclasses",
    "logging",
    "json",
    "msgspec",
    "rich",
    "pandas",
    "numpy",
    "socket",
    "asyncio",
)


def test_it_offers_the_documented_names():
    assert sorted(cirron.__all__) == [
        "Cirron", "CirronConfigError", "CirronDependencyError", "CirronError", "Profiler", "__version__", "batches",
        "epochs", "flush", "health", "inference", "mark", "profile", "scope", "shutdown", "trace", "watch", "wrap",
    ]  # fmt: skip
    assert all(hasattr(cirron, name) for name in cirron.__all__)


def test_no_module_hides_a_function_of_the_same_name():
    modules = {path.stem for path in Path(cirron.__file__).parent.iterdir()}
    assert modules & set(cirron.__all__) == set()


def test_importing_it_loads_nothing_heavy():
    script = (
        "import sys; before = set(sys.modules); import cirron; "
        f"print(sorted((set(sys.modules) - before) & set({HEAVY!r})))"
    )
    assert printed(script) == "[]\n"


def test_using_a_scope_without_a_session_loads_nothing_more():
    script = """
import sys, cirron as ci
before = set(sys.modules)
with ci.scope("step", index=1, split="train"):
    ci.mark("loss", 0.5)
print(sorted(set(sys.modules) - before))
"""
    assert printed(script) == "[]\n"


def test_importing_it_starts_no_thread_and_makes_no_file(tmp_path):
    assert printed("import cirron, threading; print(threading.active_count())") == "1\n"
    assert not (tmp_path / ".cirron").exists()


def printed(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout
