"""The test's end of the line to its program: hears of moments and of what `health()` says."""

import contextlib
import json
import socket
import threading
import uuid
from collections.abc import Callable
from typing import Any

AtMoment = Callable[
    [str, int], Callable[[], None] | None
]  # what comes back is called when the process has ended

MESSAGE_BYTES = 1024 * 1024


class Ear:
    """Listens to all processes of a program until it is closed.

    Attributes:
        address: for `FAULTS_LINE` in the program's environment.
        healths: the latest answer of `health()` in each process, by session.
        moments: the names of the moments that were reached.
        failures: what kept the test from doing its part at a moment.
    """

    def __init__(self, at_moment: AtMoment) -> None:
        self.address = f"cirron-faults-{uuid.uuid4().hex}"
        self.healths: dict[str, dict[str, Any]] = {}
        self.moments: list[str] = []
        self.failures: list[str] = []
        self._at_moment = at_moment
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind("\0" + self.address)
        self._listener.listen(64)
        self._lines: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Hear no more; children that outlive the program are left talking to nobody."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for line in self._lines:
            line.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for line in [*self._lines, self._listener]:
            line.close()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._lines.append(line)
            self._threads.append(threading.Thread(target=self._hear, args=(line,)))
            self._threads[-1].start()

    def _hear(self, line: socket.socket) -> None:
        """In one thread from the first message of a process to its end, as a debugger has to be."""
        with contextlib.ExitStack() as afterwards:
            while message := _receive(line):
                self._take(json.loads(message), afterwards)
                with contextlib.suppress(OSError):  # killed at this moment
                    line.send(b"go")

    def _take(self, message: dict[str, Any], afterwards: contextlib.ExitStack) -> None:
        if "health" in message:
            health = message["health"]
            self.healths[health.get("session_id") or f"process {message['pid']}"] = health
        else:
            self._do_our_part(message["moment"], message["pid"], afterwards)

    def _do_our_part(self, moment: str, pid: int, afterwards: contextlib.ExitStack) -> None:
        self.moments.append(moment)
        try:
            later = self._at_moment(moment, pid)
            if later is not None:
                afterwards.callback(later)
        except Exception as error:
            self.failures.append(f"at the moment {moment!r}: {error!r}")


def _receive(line: socket.socket) -> bytes:
    try:
        return line.recv(MESSAGE_BYTES)
    except ConnectionResetError:
        return b""  # killed with an answer on its way
