"""The command line: `cirron …`."""

from cirron.cli.app import main

__all__ = ["main"]
