"""The exceptions a user can meet.

CirronError
├── CirronConfigError       a settings file cannot be used
└── CirronDependencyError   an optional package is missing

Those of the command line's login are in `cirron.account.errors`.
A wrong argument raises the built-in `ValueError` or `TypeError`. What goes wrong while recording raises
nothing: it is logged once as a warning and counted in `cirron.health()`.
"""


class CirronError(Exception):
    """Any failure that cirron reports under a name of its own."""


class CirronConfigError(CirronError):
    """A settings file cannot be used; the message names the file, the position and a way out."""


class CirronDependencyError(CirronError):
    """A function needs a package that is not installed; the message names the pip extra that brings it."""
