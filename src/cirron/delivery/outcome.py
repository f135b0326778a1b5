"""What a try to deliver something came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivered:
    """It was taken and need not be sent again."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """It will never be taken; anything else may be.

    Attributes:
        status: the HTTP status; None where no server was asked.
        reason: why, for a person.
    """

    status: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class AuthRefused:
    """The key is not accepted, so nothing will be taken until the user has given another."""

    status: int


@dataclass(frozen=True, slots=True)
class NoRoute:
    """What answers there does not take such things; it may after an update, or at another address."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It may well succeed later.

    Attributes:
        reason: why it failed, for a person.
        retry_after_s: for how long the server asks to be left alone.
        status: the HTTP status; None where no server answered.
    """

    reason: str
    retry_after_s: float | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """The way itself has ended, for as long as the process lives."""

    reason: str


Outcome = Delivered | Rejected | AuthRefused | NoRoute | Failed | Closed
