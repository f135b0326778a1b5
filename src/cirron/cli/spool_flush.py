"""`cirron spool flush`: send the batches in a spool to the platform."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from cirron._version import __version__
from cirron.account import CliConfig, config_path, signed_in
from cirron.cli.messages import say
from cirron.cli.progress import progress
from cirron.cli.sigterm import stopped_by_sigterm
from cirron.cli.spool_folder import batch_files, batches, dir_option, nothing_in, spool_folder
from cirron.delivery.blobs import Blobs
from cirron.delivery.flush import Flush, Waiting, claimed
from cirron.delivery.http import HttpTransport
from cirron.delivery.outcome import NoRoute
from cirron.delivery.sent import SentFolder
from cirron.delivery.settlement import Settlement
from cirron.errors import CirronError
from cirron.faults import Faults
from cirron.spool.delete import count_anew
from cirron.spool.files import scan
from cirron.tree import units

INGEST_ROUTE = "/api/traces"
SAID_FROM_S = 1.0  # shorter pauses need no mention


@click.command(
    "flush",
    short_help="Send the batches in the spool to the platform.",
    epilog="""Example:

    \b
    cirron auth login         # once
    cirron spool flush
    cirron spool flush --dir archive/.cirron/spool
    """,
)
@dir_option
def flush_command(directory: Path | None) -> int:
    """Send the batches in the spool to the platform, the oldest first, and delete each that it has.

    Needs a login: see `cirron auth login`. A batch that does not get through is tried again as often as `retries`
    says, and one that the platform rejects for good is set aside in rejected/. What was not sent stays, and the
    exit code is 1 then; Ctrl-C loses nothing.
    """
    spool = spool_folder(directory)
    if not batch_files(spool):
        print(nothing_in(spool))
        return 0
    with stopped_by_sigterm():
        config = CliConfig.load()
        token = signed_in(config, config_path())
        faults = _Told()
        with claimed(spool, faults):
            return _flush(spool, config, token, faults)


class _Told(Faults):
    """Faults that go to the person at the terminal rather than to a log."""

    def warn(self, message: str) -> None:
        say(f"Warning: {message}")


def _flush(spool: Path, config: CliConfig, token: str, faults: Faults) -> int:
    # Listed only now: another flush may have been at work until this one got the claim.
    names = [file.name for file in scan(spool)[0]]
    transport = HttpTransport(config.api_url, token, f"cli/{__version__}", INGEST_ROUTE, config.timeout_s)
    # No other time will come for the files of a batch that is gone, so it waits for them.
    files = Blobs(spool.parent, transport.put_file, faults, max_failures=sys.maxsize)
    sent = SentFolder(spool.parent, None, faults)
    renew = partial(_renewed, transport, config)
    flush = Flush(spool, names, transport, Settlement(spool, sent), files, config.retries, renew)
    try:
        interrupted = _run(flush, names)
    finally:
        transport.close()
        if spool.name == "spool":  # else what lies beside it is not ours
            sent.sweep()
        count_anew(spool)
    return _report(flush, files.left_out_count, interrupted=interrupted)


def _renewed(transport: HttpTransport, config: CliConfig) -> bool:
    """Whether the login has been refreshed, here or by another command, since the flush began."""
    try:
        return transport.use_key(signed_in(config, config_path()))
    except CirronError:  # that the login was refused is what the user has to know
        return False


def _run(flush: Flush, names: Sequence[str]) -> bool:
    """Whether the user interrupted it."""
    try:
        with progress("Uploading", len(names)) as advance:
            for step in flush.run():
                if isinstance(step, Waiting):
                    _say_wait(step)
                    continue
                if step.error is not None:
                    say(f"Error: {step.error}")
                advance()
    except KeyboardInterrupt:
        return True
    return False


def _say_wait(step: Waiting) -> None:
    if step.pause_s > SAID_FROM_S:
        say(f"Waiting {step.pause_s:.0f} s before {step.name} is tried again: {step.reason}")


def _report(flush: Flush, files_left_out: int, *, interrupted: bool) -> int:
    if isinstance(flush.stopped, NoRoute) and flush.skipped == len(flush) - 1:
        return 1  # it was the first batch, and the error said it all
    if (interrupted or flush.stopped is not None) and flush.left > 0:
        say(f"Warning: Stopping flush; {batches(flush.left)} left in spool.")
    if files_left_out:
        say(f"Warning: Not sent with their batches: {units.counted(files_left_out, 'snapshot file')}.")
    print(f"Uploaded: {flush.uploaded}  Failed: {flush.failed}  Skipped: {flush.skipped}")
    if interrupted:
        raise click.Abort
    return 0 if flush.is_complete and not files_left_out else 1
