"""Where a setting comes from, and what is accepted as one."""

import json
from pathlib import Path

import pytest

from cirron.config_file import read_config_file
from cirron.errors import CirronConfigError
from cirron.settings import checked, resolve


def write_config(text):
    path = Path("config.json")
    path.write_text(text, encoding="utf-8")
    return path


class TestOrder:
    def test_without_anything_the_defaults_hold(self):
        settings, warnings = resolve({}, {}, None)
        assert warnings == []
        assert settings.output_dir == Path.cwd() / ".cirron"
        assert (settings.flush_interval, settings.ring_marks, settings.fsync) == (1.0, 65536, False)
        assert (settings.api_key, settings.run_id) == (None, None)
        assert settings.api_endpoint == "https://app.cirron.com"

    def test_the_file_goes_before_the_default(self):
        file = write_config('{"apiUrl": "https://file", "apiKey": "from-file", "workspaceId": "w"}')
        settings, _ = resolve({}, {}, file)
        assert (settings.api_endpoint, settings.api_key, settings.workspace_id) == (
            "https://file",
            "from-file",
            "w",
        )

    def test_the_environment_goes_before_the_file(self):
        file = write_config('{"apiUrl": "https://file"}')
        settings, _ = resolve({}, {"CIRRON_API_ENDPOINT": "https://environment"}, file)
        assert settings.api_endpoint == "https://environment"

    def test_an_argument_goes_before_the_environment(self):
        settings, _ = resolve(
            {"api_endpoint": "https://argument"}, {"CIRRON_API_ENDPOINT": "https://env"}, None
        )
        assert settings.api_endpoint == "https://argument"

    def test_an_empty_variable_counts_as_unset(self):
        settings, _ = resolve({}, {"CIRRON_RUN_ID": ""}, None)
        assert settings.run_id is None

    def test_the_platform_ids_come_from_the_environment(self):
        environ = {"CIRRON_RUN_ID": "r", "CIRRON_PIPELINE_ID": "p", "CIRRON_DEPLOYMENT_ID": "d"}
        settings, _ = resolve({}, environ, None)
        assert (settings.run_id, settings.pipeline_id, settings.deployment_id) == ("r", "p", "d")

    def test_the_folder_stays_where_it_is_when_the_program_changes_directory(self, tmp_path, monkeypatch):
        settings, _ = resolve(checked({"output_dir": "runs"}), {}, None)
        monkeypatch.chdir("/")
        assert settings.spool_dir == tmp_path / "runs" / "spool"


def test_the_key_does_not_show_in_a_repr():
    settings, _ = resolve({"api_key": "secret-key"}, {}, None)
    assert "secret-key" not in repr(settings)
    assert "api_key='***'" in repr(settings)
    assert settings.api_key == "secret-key"


class TestConfigFile:
    def test_a_missing_file_is_an_empty_one(self):
        assert read_config_file(Path("nowhere/config.json")) == {}

    def test_keys_of_the_command_line_are_none_of_our_business(self):
        file = write_config(
            json.dumps({"timeout": 30000, "auth": {"accessToken": "t"}, "apiUrl": "https://x"})
        )
        settings, warnings = resolve({}, {}, file)
        assert (settings.api_endpoint, warnings) == ("https://x", [])

    @pytest.mark.parametrize(
        ("text", "position", "reason"),
        [
            ('{"apiUrl":\n  oops}', "line 2, column 3", "Expecting value"),
            ("", "line 1, column 1", "Expecting value"),
            ("[1, 2]", "line 1, column 1", "not a JSON object"),
        ],
    )
    def test_a_damaged_file_is_named_with_position_and_way_out(self, text, position, reason):
        with pytest.raises(CirronConfigError) as caught:
            read_config_file(write_config(text))
        assert str(caught.value) == (
            f"config.json, {position}: {reason}. Correct the file, or delete it to start over"
        )

    def test_a_file_that_is_not_text_is_named_with_its_first_bad_byte(self):
        Path("config.json").write_bytes(b'{"a": "\xff"}')
        with pytest.raises(CirronConfigError, match="byte 7: not UTF-8 text"):
            read_config_file(Path("config.json"))

    def test_a_folder_in_its_place_is_no_file_to_read(self):
        Path("config.json").mkdir()
        with pytest.raises(CirronConfigError, match="is no regular file"):
            read_config_file(Path("config.json"))

    def test_a_damaged_file_costs_a_session_only_a_warning(self):
        settings, warnings = resolve({}, {}, write_config("{"))
        assert settings.api_endpoint == "https://app.cirron.com"
        assert len(warnings) == 1
        assert warnings[0].startswith("config.json, line 1, column 2")

    def test_a_value_of_the_wrong_type_is_ignored_with_a_warning(self):
        settings, warnings = resolve({}, {}, write_config('{"apiUrl": 3}'))
        assert settings.api_endpoint == "https://app.cirron.com"
        assert warnings == [
            "config.json: apiUrl is of type int, where text is expected; it is ignored: correct it or remove it"
        ]


class TestChecks:
    def test_what_is_none_was_not_given(self):
        assert checked({"api_key": None, "fsync": True}) == {"fsync": True}

    def test_an_unknown_setting_is_refused_with_the_known_ones(self):
        with pytest.raises(
            ValueError, match=r"unknown setting 'flush_intervall'; accepted are: api_key, .*fsync"
        ):
            checked({"flush_intervall": 1})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("flush_interval", 0),
            ("flush_interval", float("nan")),
            ("flush_interval", 1e9),
            ("ring_marks", 0),
            ("batch_max_bytes", 1),
            ("output_dir", ""),
            ("api_key", ""),
        ],
    )
    def test_a_value_out_of_range_is_refused_with_the_accepted_ones(self, name, value):
        with pytest.raises(ValueError, match=f"^{name}=.*accepted"):
            checked({name: value})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("flush_interval", "1"),
            ("flush_interval", True),
            ("ring_marks", 1.5),
            ("fsync", 1),
            ("output_dir", 7),
            ("run_id", 7),
        ],
    )
    def test_a_value_of_the_wrong_type_is_refused_with_the_accepted_one(self, name, value):
        with pytest.raises(TypeError, match=f"^{name} is of type {type(value).__name__}; accepted is "):
            checked({name: value})
