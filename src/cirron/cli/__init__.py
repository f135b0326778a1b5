"""The command line: `cirron …`."""

from cirron.cli.entry import main

__all__ = ["main"]
