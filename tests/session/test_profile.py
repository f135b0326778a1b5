"""What `profile()` starts, accepts and survives."""

import json
import logging
import os
import socket
from pathlib import Path

import pytest

import cirron as ci
from cirron.spool import read
from support.pictures import picture


def spooled(directory=".cirron"):
    """Every batch of the spool, oldest first."""
    return list(read(directory).batches())


def sent():
    """Every batch that the platform has, as long as its session may still read it back."""
    return list(read(f".cirron/sent/{ci.health()['session_id']}").batches())


class TestStart:
    def test_it_makes_the_folders_of_the_spool_and_the_journal(self, profiler):
        assert sorted(path.name for path in Path(".cirron").iterdir()) == ["journal", "spool", "usage"]

    def test_scopes_and_marks_from_here_on_are_kept(self, profiler):
        with ci.scope("step", index=3, split="train"):
            ci.mark("loss", 0.5, unit="nats")
        ci.mark("accuracy", 0.75)
        assert picture(ci.trace("dict")) == (
            "cirron.session | accuracy=0.75\n  step[3] split='train' | loss=0.5 unit='nats'"
        )

    def test_before_it_scopes_and_marks_are_not_kept(self):
        with ci.scope("early"):
            ci.mark("loss", 0.5)
        ci.profile()
        assert picture(ci.trace("dict")) == "cirron.session"
        ci.shutdown()

    def test_each_batch_names_its_process(self, monkeypatch):
        monkeypatch.setenv("RANK", "1")
        monkeypatch.setenv("LOCAL_RANK", "1")
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job-7")
        ci.profile()
        ci.shutdown()
        (batch,) = spooled()
        assert (batch.rank, batch.local_rank, batch.world_size, batch.run_id) == (1, 1, 2, "job-7")
        assert (batch.host, batch.pid, batch.worker) == (socket.gethostname(), os.getpid(), None)
        assert batch.sdk_version == ci.__version__
        assert {span.rank for span in batch.spans} == {1}

    def test_the_run_id_of_the_platform_goes_before_that_of_the_launcher(self, monkeypatch):
        monkeypatch.setenv("SLURM_PROCID", "0")
        monkeypatch.setenv("SLURM_NTASKS", "1")
        monkeypatch.setenv("SLURM_JOB_ID", "slurm-job")
        monkeypatch.setenv("CIRRON_RUN_ID", "run-7")
        handle = ci.profile()
        assert handle.platform_context == {"run_id": "run-7", "pipeline_id": None, "deployment_id": None}
        ci.shutdown()
        assert sent()[0].run_id == "run-7"

    def test_an_id_of_any_length_and_letters_fits(self, monkeypatch):
        monkeypatch.setenv("CIRRON_RUN_ID", '"\x01é' * 5000)
        ci.profile()
        ci.shutdown()
        assert sent()[0].run_id == ('"\x01é' * 5000)[:256]

    def test_a_launcher_that_makes_no_sense_is_warned_of(self, monkeypatch, caplog):
        monkeypatch.setenv("RANK", "7")
        monkeypatch.setenv("WORLD_SIZE", "2")
        ci.profile()
        ci.shutdown()
        assert "RANK='7'" in caplog.text
        assert spooled()[0].rank == 0

    def test_the_cost_of_recording_is_part_of_the_record(self, profiler):
        with ci.scope("outer"), ci.scope("inner"):
            pass
        (root,) = ci.trace("dict")["roots"]
        overheads = [mark for mark in root["children"][0]["marks"] if mark["name"] == "cirron.overhead_ns"]
        assert [(mark["kind"], mark["value"] > 0) for mark in overheads] == [("summary", True)]


class TestSecondCall:
    def test_it_returns_the_same_handle_and_warns(self, profiler, caplog):
        assert ci.profile() is profiler
        assert "profile() was called before" in caplog.text

    def test_it_still_refuses_wrong_arguments(self, profiler):
        with pytest.raises(ValueError, match="flush_interval"):
            ci.profile(flush_interval=-1)

    def test_after_shutdown_it_begins_another_session(self):
        first = ci.profile()
        ci.shutdown()
        second = ci.profile()
        ci.shutdown()
        assert second is not first
        assert len({batch.session_id for batch in spooled()}) == 2


class TestArguments:
    def test_the_path_goes_before_the_config(self):
        handle = ci.profile({"output_dir": "config"}, path="argument")
        assert handle.health()["spool_dir"] == str(Path("argument/spool").absolute())
        ci.shutdown()
        assert not Path("config").exists()

    def test_the_config_goes_before_the_environment(self, monkeypatch):
        monkeypatch.setenv("CIRRON_RUN_ID", "environment")
        handle = ci.profile({"run_id": "config"})
        assert handle.platform_context["run_id"] == "config"
        ci.shutdown()

    def test_what_this_version_offers_may_be_said_out_loud(self):
        ci.profile({}, None, None, output="spool", enabled=True)
        ci.shutdown()
        ci.profile(frameworks=[], snapshots="stats", output=["spool"])
        ci.shutdown()
        ci.profile(frameworks=["torch"])
        ci.shutdown()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                {"frameworks": ["torch", "jax"]},
                (
                    "frameworks=['torch', 'jax']: accepted are None, and a list of any of "
                    "'transformers', 'accelerate', 'lightning', 'tensorflow', 'torch'"
                ),
            ),
            (
                {"sample_rate": 0},
                "sample_rate=0 is out of range; accepted are numbers above 0 and up to 1",
            ),
            (
                {"snapshots": "all"},
                "snapshots='all': accepted are 'stats', 'sampled', 'full', and None for none",
            ),
            (
                {"output": "disk"},
                "output='disk': accepted are 'spool', 'log', 'stdout', 'none', a list of these without 'none'",
            ),
            ({"output": []}, "output=[]: accepted are 'spool'"),
            ({"output": ["spool", "none"]}, "output=['spool', 'none']: accepted are 'spool'"),
            ({"flush_interval": 0}, "flush_interval=0 is out of range; accepted are 0.01 to 3600 seconds"),
            ({"path": ""}, "path='' is empty"),
            ({"config": {"colour": "red"}}, "unknown setting 'colour'; accepted are: api_key"),
        ],
        ids=str,
    )
    def test_a_wrong_value_is_refused_with_what_is_accepted(self, arguments, message):
        with pytest.raises(ValueError, match="accepted") as caught:
            ci.profile(**arguments)
        assert message in str(caught.value)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"config": "fast"}, "config is of type str; accepted is a dict of settings by name, or None"),
            ({"enabled": "yes"}, "enabled is of type str; accepted is True or False"),
            ({"frameworks": "torch"}, "frameworks is of type str; accepted is a list of names, or None"),
            ({"output": 3}, "output is of type int; accepted is a name, a list of names, or None"),
            ({"path": 3}, "path is of type int; accepted is a path (str or os.PathLike)"),
            ({"flush_interval": "1"}, "flush_interval is of type str; accepted is a number of seconds"),
        ],
        ids=str,
    )
    def test_a_wrong_type_is_refused_with_the_accepted_one(self, arguments, message):
        with pytest.raises(TypeError) as caught:
            ci.profile(**arguments)
        assert str(caught.value) == message


class TestDisabled:
    @pytest.fixture
    def disabled(self):
        yield ci.profile(enabled=False)
        ci.shutdown()

    def test_nothing_is_kept_and_no_folder_made(self, disabled):
        with ci.scope("step"):
            ci.mark("loss", 0.5)
        ci.flush()
        assert (disabled.enabled, ci.health()["enabled"]) == (False, False)
        assert not Path(".cirron").exists()

    def test_everything_on_the_handle_answers(self, disabled, capsys):
        disabled.flush()
        assert disabled.health()["session_id"] is None
        assert disabled.installed_hooks == []
        assert disabled.platform_context["run_id"] is None
        assert disabled.trace("dict") == {"roots": [], "span_count": 0}
        disabled.shutdown()
        disabled.shutdown()

    def test_a_decorated_function_still_runs(self, disabled):
        assert ci.scope("step")(lambda: 7)() == 7

    def test_a_second_call_gives_the_same_handle(self, disabled, caplog):
        assert ci.profile() is disabled


class TestNothingBreaksTheRun:
    def test_a_folder_that_cannot_be_made_costs_the_records_and_one_warning(self, caplog):
        Path("file").write_text("not a folder")
        handle = ci.profile(path="file")
        with ci.scope("step"):
            ci.mark("loss", 0.5)
        ci.flush()
        ci.flush()
        health = handle.health()
        ci.shutdown()
        assert health["seal_failure_count"] > 0
        assert health["internal_errors"]["spool"] >= 1
        assert health["journal"].startswith("anonymous")
        (warning,) = [record.getMessage() for record in caplog.records]
        assert (
            "cannot be used, so nothing is kept until it can (make the folder writable, or pass another `path`"
            in warning
        )

    def test_a_damaged_config_file_costs_one_warning(self, tmp_path, caplog):
        config = tmp_path / "home" / ".cirron" / "config.json"
        config.parent.mkdir()
        config.write_text("{oops}")
        handle = ci.profile()
        assert handle.enabled
        ci.shutdown()
        assert f"{config}, line 1, column 2" in caplog.text

    def test_a_logging_handler_that_raises_costs_its_message(self, raising_handler, monkeypatch):
        ci.profile()
        ci.profile()
        assert ci.health()["internal_errors"] == {"logging": 1}
        ci.shutdown()

    def test_more_sessions_than_there_is_room_for_are_not_recorded(self, caplog):
        instances = [ci.Cirron(output_dir=f"run{i}") for i in range(18)]
        enabled = [instance.profile().enabled for instance in instances]
        for instance in instances:
            instance.shutdown()
        assert enabled == [True] * 16 + [False] * 2
        assert "no session could be started, so nothing is recorded" in caplog.text

    def test_a_journal_that_is_none_is_left_where_it_is(self, caplog):
        journal = Path(".cirron/journal/old.journal")
        journal.parent.mkdir(parents=True)
        journal.write_bytes(b"not a journal" * 1000)
        ci.profile()
        ci.shutdown()
        assert journal.exists()
        assert "old.journal" in caplog.text


def test_warnings_go_to_the_logger_cirron(caplog, profiler):
    ci.profile()
    assert [(record.name, record.levelno) for record in caplog.records] == [("cirron", logging.WARNING)]


def test_the_config_is_plain_data(profiler):
    json.dumps(ci.health())
