"""What keeps a user's login from being used.

CirronError
├── NotAuthenticated        there is none
└── AuthenticationInvalid   the platform no longer takes it
"""

from __future__ import annotations

from cirron.errors import CirronError


class NotAuthenticated(CirronError):  # noqa: N818 - as the documentation words it
    """Nobody is logged in."""

    def __init__(self) -> None:
        super().__init__("Not authenticated. Run cirron auth login first.")


class AuthenticationInvalid(CirronError):  # noqa: N818 - as the documentation words it
    """The platform refuses the login, and refreshing it does not help."""

    def __init__(self) -> None:
        super().__init__("Authentication invalid. Run cirron auth login first.")
