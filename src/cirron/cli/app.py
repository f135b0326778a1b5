"""The `cirron` command, and the one place that turns what happened into an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import click

from cirron._version import __version__
from cirron.cli.auth import auth
from cirron.cli.completion import completion_command
from cirron.cli.config import config
from cirron.cli.exit_codes import DONE, FAILED, INTERRUPTED
from cirron.cli.memory import memory
from cirron.cli.messages import say
from cirron.cli.spool import spool
from cirron.cli.status import status
from cirron.cli.traces import traces
from cirron.errors import CirronError


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""Example:

    \b
    python train.py         # a program with ci.profile() in it
    cirron traces view      # where its time went
    """,
)
@click.version_option(__version__, message="cirron %(version)s")
def cirron() -> None:
    """See what a training run recorded: where the time went and what it was doing.

    Reads the spool that the program left in ./.cirron. Only `auth`, `spool flush` and `status` use the network.
    """


for command in (traces, memory, spool, status, auth, config, completion_command):
    cirron.add_command(command)


def run(arguments: Sequence[str] | None) -> int:
    """What `cirron.cli.main` does once everything is imported."""
    _spell_out_what_the_terminal_cannot()
    try:
        code = cirron.main(arguments, prog_name="cirron", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        return _nobody_reads()
    except (CirronError, OSError) as error:
        say(f"Error: {_said(error)}")
        return FAILED
    return code if isinstance(code, int) else DONE


def _said(error: CirronError | OSError) -> str:
    """Our own words, or the system's with what they are about."""
    if isinstance(error, OSError) and error.strerror is not None:
        return f"{error.filename or 'standard output'}: {error.strerror}"
    return str(error)


def _spell_out_what_the_terminal_cannot() -> None:
    r"""Have a character outside of the terminal's encoding printed as `\u2502` instead of failing the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nobody_reads() -> int:
    """`| head` closed the pipe: stop, and let the interpreter's last flush go nowhere instead of failing again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED
