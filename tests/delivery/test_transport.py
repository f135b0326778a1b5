"""Which way a session's batches take."""

from pathlib import Path

import pytest

from cirron.delivery import make_sender, transport_name
from cirron.faults import Faults
from cirron.settings import Secret, Settings
from delivery.setup import KEY, warnings
from support.spool_files import SESSION_ID


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "file_only"),
        ({"api_key": Secret(KEY)}, "http"),
        ({"run_id": "run-7"}, "event_stream"),
        ({"run_id": "run-7", "api_key": Secret(KEY)}, "event_stream"),
        ({"api_key": Secret(KEY), "api_endpoint": "http://example.com"}, "file_only"),
        ({"api_key": Secret("two words")}, "file_only"),
    ],
)
def test_the_environment_of_a_run_comes_before_a_key_and_files_are_what_is_left(settings, name, tmp_path):
    given = Settings(output_dir=tmp_path, **settings)
    assert transport_name(given) == name
    sender = make_sender(given, SESSION_ID, Faults())
    assert (sender is None) == (name == "file_only")
    if sender is not None:
        sender.close()


def test_without_a_key_nothing_is_said(caplog):
    assert make_sender(Settings(output_dir=Path("here")), SESSION_ID, Faults()) is None
    assert warnings(caplog) == []


def test_a_server_that_would_get_the_key_in_clear_text_gets_nothing_and_the_user_hears_why(caplog):
    settings = Settings(api_key=Secret(KEY), api_endpoint="http://example.com", output_dir=Path("here"))
    assert make_sender(settings, SESSION_ID, Faults()) is None
    (said,) = warnings(caplog)
    assert "CIRRON_API_ENDPOINT" in said
    assert "unencrypted" in said
    assert "here/spool" in said


def test_a_key_that_cannot_be_sent_is_not_shown(caplog):
    assert make_sender(Settings(api_key=Secret("hunter 2")), SESSION_ID, Faults()) is None
    (said,) = warnings(caplog)
    assert "CIRRON_API_KEY" in said
    assert "hunter" not in said
