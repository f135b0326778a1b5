"""Changing the config file: wholly or not at all, and nothing in it is lost."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from cirron import config_file
from cirron.config_file import change, read_config_file
from cirron.errors import CirronConfigError, CirronError
from cirron.file_lock import locked
from support.programs import run_program
from support.system_calls import DIE_AT

BY_HAND = (
    '{"workspaceId": "w", "apiUrl": "https://x", "more": {"n": 1.50, "big": 123456789012345678901234567890}}'
)

COUNT_UP = """
import sys
from pathlib import Path
from cirron.config_file import change

for number in range(25):
    change(Path(sys.argv[1]), lambda document: document.update({f"{sys.argv[2]}-{number}": number}))
"""

KILLED_AT_THE_RENAME = f"""
import os
from pathlib import Path
{DIE_AT}
from cirron.config_file import change

def edit(document):
    document["timeout"] = 5000
    die_at("rename")

os.umask(0)
change(Path("folder/config.json"), edit)
"""

ON_A_FULL_DISK = """
import resource
from pathlib import Path
from cirron.config_file import change

resource.setrlimit(resource.RLIMIT_FSIZE, (50, resource.RLIM_INFINITY))
try:
    change(Path("folder/config.json"), lambda document: document.update(token="t" * 100))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def path():
    return Path("folder", "config.json")


def written(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def set_timeout(document):
    document["timeout"] = 5000


def modes(path):
    return oct(path.parent.stat().st_mode & 0o777), oct(path.stat().st_mode & 0o777)


def test_what_the_edit_does_not_touch_stays_in_its_order(path):
    written(path, BY_HAND)
    assert change(path, set_timeout) == read_config_file(path)
    assert list(read_config_file(path).items()) == [*json.loads(BY_HAND).items(), ("timeout", 5000)]


def test_a_missing_file_and_its_folder_are_made_for_this_user_alone(path):
    change(path, set_timeout)
    assert modes(path) == ("0o700", "0o600")


def test_a_file_that_others_could_read_is_closed_to_them(path):
    written(path, "{}").chmod(0o644)
    path.parent.chmod(0o755)
    change(path, set_timeout)
    assert modes(path) == ("0o700", "0o600")


def test_a_folder_that_its_user_has_made_read_only_stays_so(path):
    written(path, "{}")
    path.parent.chmod(0o555)
    with suppress(CirronConfigError):  # root may write there all the same
        change(path, set_timeout)
    assert modes(path)[0] == "0o500"
    path.parent.chmod(0o700)


def test_what_is_no_regular_file_is_not_waited_for(path):
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(CirronConfigError, match=r"^folder/config\.json is no regular file: move it away$"):
        read_config_file(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(CirronConfigError, match="is no regular file"):
        read_config_file(path)


def test_a_file_of_a_size_that_no_config_has_is_not_read(path):
    written(path, "{}")
    os.truncate(path, 1 << 40)
    with pytest.raises(CirronConfigError, match="is larger than 1,048,576 bytes, so it is not cirron's"):
        read_config_file(path)


def test_a_mark_at_the_beginning_of_the_file_is_passed_over(path):
    written(path, "\ufeff" + BY_HAND)
    assert read_config_file(path) == json.loads(BY_HAND)


@pytest.mark.parametrize("home", ["", "relative"])
def test_a_home_that_is_none_is_not_guessed(home, monkeypatch):
    monkeypatch.setenv("HOME", home)
    assert config_file.user_config_file() is None


def test_a_symbolic_link_stays_one(path):
    target = written(Path("dotfiles", "cirron.json"), BY_HAND)
    path.parent.mkdir()
    path.symlink_to(target.absolute())
    change(path, set_timeout)
    assert path.is_symlink()
    assert json.loads(target.read_text())["timeout"] == 5000


@pytest.mark.parametrize(
    "text", ["", '{"token": "t"', "[]", '{"a":' + "[" * 100_000, '{"n": ' + "9" * 5000 + "}"]
)
def test_a_damaged_file_is_left_as_it_is(path, text):
    written(path, text)
    with pytest.raises(
        CirronConfigError, match=r"^folder/config\.json, line .*Correct the file, or delete it"
    ):
        change(path, set_timeout)
    assert path.read_text() == text


def test_on_a_full_disk_the_old_content_stays(path):
    written(path, BY_HAND)
    said = run_program(ON_A_FULL_DISK).stdout
    assert said.startswith(
        "CirronConfigError folder/config.json cannot be written (File too large): make room"
    )
    assert path.read_text() == BY_HAND
    assert sorted(each.name for each in path.parent.iterdir()) == ["config.json", "config.json.lock"]


def test_a_folder_that_cannot_be_made_is_named_with_the_way_out():
    Path("folder").write_text("a file in its place")
    with pytest.raises(CirronConfigError, match=r"^folder/config\.json cannot be written \(File exists\)"):
        change(Path("folder", "config.json"), set_timeout)


def test_a_link_to_nowhere_is_an_error_and_stays(path):
    path.parent.mkdir()
    path.symlink_to("nowhere/config.json")
    with pytest.raises(CirronConfigError, match="cannot be written"):
        change(path, set_timeout)
    assert path.is_symlink()


def test_a_kill_at_the_last_moment_leaves_the_old_file_and_nothing_that_others_can_read(path):
    written(path, BY_HAND)
    ended = run_program(KILLED_AT_THE_RENAME)
    assert ended.code == -signal.SIGSYS, ended.stderr
    assert path.read_text() == BY_HAND
    assert oct((path.parent / "config.json.tmp").stat().st_mode & 0o777) == "0o600"
    change(path, set_timeout)
    assert sorted(each.name for each in path.parent.iterdir()) == ["config.json", "config.json.lock"]


def test_changes_by_several_processes_at_once_are_all_kept(path):
    processes = [
        subprocess.Popen([sys.executable, "-c", COUNT_UP, str(path), name], env=dict(os.environ))
        for name in "abcd"
    ]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    assert len(read_config_file(path)) == 4 * 25


def test_a_lock_that_is_never_let_go_of_ends_the_wait_with_the_way_out(path, monkeypatch):
    monkeypatch.setattr(config_file, "LOCK_WAIT_S", 0)
    written(path, BY_HAND)
    with (
        locked(path.with_name("config.json.lock"), 0),
        pytest.raises(CirronError, match="see whether it hangs"),
    ):
        change(path, set_timeout)
    assert path.read_text() == BY_HAND
    change(path, set_timeout)


def test_an_edit_that_fails_changes_nothing(path):
    written(path, BY_HAND)
    with pytest.raises(ZeroDivisionError):
        change(path, lambda document: document.update(a=1 / 0))
    assert path.read_text() == BY_HAND


def test_characters_that_are_no_text_survive(path):
    written(path, '{"name": "J\\u00f6rg \\ud800"}')
    change(path, set_timeout)
    assert read_config_file(path)["name"] == "Jörg \ud800"
