"""What an answer means for a batch."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from cirron.delivery.answer import classify, readable, retry_after_s
from cirron.delivery.outcome import AuthRefused, Delivered, Failed, NoRoute, Rejected

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        (Delivered, [200, 201, 202, 204, 299]),
        (Rejected, [400, 413, 422]),
        (AuthRefused, [401, 403]),
        (NoRoute, [301, 302, 307, 308, 304, 404, 405, 410, 418]),
        (Failed, [408, 425, 429, 500, 502, 503, 504, 599]),
    ],
)
def test_the_status_decides(kind, statuses):
    assert {type(classify(status, {}, b"", 0.0)) for status in statuses} == {kind}


def test_the_reason_is_the_status_and_the_first_line_of_what_the_server_says():
    outcome = classify(400, {}, b"  marks[3] has no name \r\nTraceback ...", 0.0)
    assert outcome == Rejected(400, "400 Bad Request: marks[3] has no name")


def test_a_status_without_a_name_is_a_number():
    assert classify(599, {}, b"", 0.0) == Failed("599", status=599)


def test_a_redirect_says_where_it_would_lead():
    outcome = classify(307, {"location": "https://login.example/"}, b"moved", 0.0)
    assert outcome == NoRoute(
        307,
        "307 Temporary Redirect: a redirect to https://login.example/, which is not followed, so that the key "
        "stays with its host",
    )


def test_an_encoded_answer_is_not_decoded():
    assert classify(500, {"content-encoding": "br"}, b"\x0b\x02\x80", 0.0) == Failed(
        "500 Internal Server Error", status=500
    )


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("301", 300.0),
        ("9" * 5000, 300.0),
        (format_datetime(NOON.replace(second=20), usegmt=True), 20.0),
        ("Sat, 21 Nov 2026 12:00:20", 20.0),
        ("Sat, 21 Nov 2026 13:00:20 +0100", 20.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2099 12:00:00 GMT", 300.0),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
        ("Sat, 99 Nov 2026 12:00:20 GMT", None),
        ("٣", 3.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_five_minutes(value, seconds):
    assert retry_after_s(value, NOON.timestamp()) == seconds


def test_retry_after_counts_for_failures():
    assert classify(429, {"retry-after": "7"}, b"", 0.0) == Failed("429 Too Many Requests", 7.0, 429)
    assert classify(503, {"retry-after": "7"}, b"", 0.0) == Failed("503 Service Unavailable", 7.0, 503)


def test_what_a_stranger_says_is_shown_short_and_harmless():
    assert readable("\x1b[2Jboo\x07\nmore") == "?[2Jboo?"
    assert readable("x" * 1000) == "x" * 199 + "…"
    assert readable(" \n ") == ""
