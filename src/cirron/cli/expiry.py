"""How long a login lasts, as a person reads it."""

from __future__ import annotations

from datetime import timedelta

from cirron.account import Login
from cirron.account.login import iso
from cirron.tree import units


def expiry(login: Login) -> str:
    """`expires in 12 days (2026-12-03T07:00:00Z)`, and what else there is to say of the end of a login."""
    left = login.left()
    if left is None or login.expires_at is None:
        return "does not say when it expires"
    when = f"({iso(login.expires_at)})"
    return (
        f"expired {_words(-left)} ago {when}" if left < timedelta(0) else f"expires in {_words(left)} {when}"
    )


def _words(time: timedelta) -> str:
    if time >= timedelta(days=2):
        return f"{time.days:,} days"
    if time >= timedelta(days=1):
        return "1 day"
    return units.duration(time.total_seconds() // 1 * 1e9)
