"""What the answer of an HTTP server means for what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from cirron.delivery.outcome import AuthRefused, Delivered, Failed, NoRoute, Outcome, Rejected

REJECTED = frozenset({400, 413, 422})
AUTH_REFUSED = frozenset({401, 403})
TRY_LATER = frozenset({408, 425, 429})

MAX_RETRY_AFTER_S = 300.0
MAX_REASON_CHARACTERS = 200


def classify(status: int, headers: Mapping[str, str], body: bytes, now_s: float) -> Outcome:
    """The outcome that an answer stands for.

    Args:
        status: the HTTP status.
        headers: of the answer, with lower-case names.
        body: its beginning; the first line goes into messages.
        now_s: the time of day in seconds since 1970, for a `Retry-After` that is a date.
    """
    if 200 <= status < 300:
        return Delivered()
    if status in AUTH_REFUSED:
        return AuthRefused(status)
    reason = _reason(status, headers, body)
    if status in REJECTED:
        return Rejected(status, reason)
    if status in TRY_LATER or status >= 500:
        return Failed(reason, retry_after_s(headers.get("retry-after", ""), now_s), status)
    return NoRoute(status, reason)


def retry_after_s(value: str, now_s: float) -> float | None:
    """The pause that a `Retry-After` asks for, in seconds or as a date; None where it says nothing usable."""
    asked_s = _seconds(value) if value.strip().isdecimal() else _seconds_until(value, now_s)
    return None if asked_s is None else min(max(asked_s, 0.0), MAX_RETRY_AFTER_S)


def _seconds(value: str) -> float:
    return float(value.strip()[:9])  # beyond nine digits the cap decides anyway


def _seconds_until(value: str, now_s: float) -> float | None:
    try:
        date = parsedate_to_datetime(value)
        # A date in no zone is meant in GMT, the only one that HTTP knows.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now_s
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def readable(text: str) -> str:
    """The first line of what a stranger says, short and without anything a terminal would obey."""
    line = next(iter(text.strip().splitlines()), "").rstrip()
    shown = "".join(character if character.isprintable() else "?" for character in line)
    return shown if len(shown) <= MAX_REASON_CHARACTERS else shown[: MAX_REASON_CHARACTERS - 1] + "…"


def _reason(status: int, headers: Mapping[str, str], body: bytes) -> str:
    said = [f"{status} {_phrase(status)}".strip()]
    if 300 <= status < 400:
        target = readable(headers.get("location", "")) or "nowhere"
        said.append(f"a redirect to {target}, which is not followed, so that the key stays with its host")
    elif "content-encoding" not in headers:  # none was asked for
        said.append(readable(body.decode("utf-8", "replace")))
    return ": ".join(part for part in said if part)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
