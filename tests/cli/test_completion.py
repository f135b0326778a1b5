"""Tab completion, in real shells where they are installed."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from support.commands import COMMAND, cirron
from support.recording import Recording

SPOOL = Path(".cirron", "spool")

# Bash asks for completions as it would at a prompt: words, the number of the last, and the function that was set.
BASH = """
eval "$(cirron completion bash)"
COMP_WORDS=({words})
COMP_CWORD={last}
$(complete -p cirron | sed 's/.*-F \\([^ ]*\\) .*/\\1/') cirron
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    """The command, where a shell looks for it."""
    script = tmp_path / "home" / "cirron"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")


@pytest.fixture
def recorded():
    """Two sessions, the second with a snapshot in each of two spans."""
    old, new = Recording("ab" * 16), Recording("5e" * 16, id_head=0x446A507B2456443F)
    old.session(0, 1)
    for index in range(2):
        span_id = new.span("epoch", index, index + 1, index=index)
        new.snapshot(span_id, f"fc{index}.weight")
        new.snapshot(span_id, f"fc{index}.bias")
    new.session(0, 9)
    old.write(SPOOL, 1)
    new.write(SPOOL, 2)


def completed(line):
    """What bash offers at the end of the line."""
    words = [*shlex.split(line), *([""] if line.endswith(" ") else [])]
    script = BASH.format(words=shlex.join(words), last=len(words) - 1)
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_bash_completes_commands_and_options(on_path):
    assert completed("cirron tra") == ["traces"]
    assert {"clear", "list", "snapshot", "snapshots", "view"} <= set(completed("cirron traces "))
    assert completed("cirron traces clear --no") == ["--no-prune-orphans"]
    assert completed("cirron completion ") == ["bash", "zsh", "fish"]


def test_bash_completes_the_ids_of_sessions_the_newest_first(on_path, recorded):
    assert completed("cirron traces snapshots --session ") == ["5e" * 16, "ab" * 16]
    assert completed("cirron traces snapshots --session AB") == ["ab" * 16]


def test_ids_are_found_in_long_files_of_other_writers_too(on_path):
    recording = Recording("5e" * 16)
    for index in range(100):
        recording.span("step", index, index + 1, index=index)
    assert recording.write(SPOOL).read_bytes().index(b"session_id") > 10_000
    assert completed("cirron traces snapshots --session ") == ["5e" * 16]


def test_bash_completes_spans_with_snapshots_and_their_tensors(on_path, recorded):
    assert completed("cirron traces snapshot ") == ["446a507b..0001", "446a507b..0004"]
    assert completed("cirron traces snapshot 446a507b2456443f") == [
        "446a507b2456443f0000000000000001",
        "446a507b2456443f0000000000000004",
    ]
    assert completed("cirron traces snapshot 446a507b..0004 ") == ["fc1.weight", "fc1.bias"]
    assert completed("cirron traces snapshot 446a507b..0004 fc1.b") == ["fc1.bias"]


def test_a_spool_named_before_is_the_one_that_is_looked_into(on_path, recorded):
    Path(".cirron").rename("archive")
    assert completed("cirron traces snapshots --spool archive --session 5") == ["5e" * 16]


def test_nothing_is_offered_that_a_shell_would_take_for_more_than_a_word(on_path):
    recording = Recording("5e" * 16)
    span_id = recording.span("epoch", 0, 1)
    for name in (
        *("layers.0.weight", "blocks[1]/ü", "$(touch pwned)", "`id`", "a;ls", "a b", "a\nb"),
        *("\x1b[31m", "--spool", "*", "'", '"', "~", "a>b", "a|b", "a&", "{a,b}", "!!", "#", "\\"),
    ):
        recording.snapshot(span_id, name)
    recording.snapshot("$(touch pwned)", "weight")
    recording.session(0, 2)
    recording.write(SPOOL)
    assert completed(f"cirron traces snapshot {span_id} ") == ["layers.0.weight", "blocks[1]/ü"]
    assert completed("cirron traces snapshot ") == ["00000000"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 5000, b'{"snapshots": 7}', b'{"session_id": 7}'])
def test_whatever_lies_in_the_spool_completion_stays_silent(on_path, content, damaged_spools):
    SPOOL.mkdir(parents=True)
    (SPOOL / f"{1:020}-{1:032x}.json").write_bytes(content)
    assert completed("cirron traces snapshots --session ") == []
    assert completed("cirron traces snapshot ") == []
    assert completed("cirron traces snapshot 1 ") == []


def test_completion_without_a_spool_is_silent_and_makes_none(on_path):
    assert completed("cirron traces snapshots --session ") == []
    assert not Path(".cirron").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_accepts(shell):
    ran = cirron("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert f"_CIRRON_COMPLETE={shell}_complete" in ran.out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=ran.out, text=True, check=True, timeout=60)


def test_another_shell_is_wrong_usage():
    ran = cirron("completion", "csh")
    assert (ran.code, ran.out) == (2, "")
    assert "'bash', 'zsh', 'fish'" in ran.err
