"""Runs a fault's program, recording or for comparison."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from faults.ear import Ear
from faults.fault import Fault, Ran, Stage

PROGRAMS = Path(__file__).parent / "programs"
EVENT = re.compile(r'\n({"__cirron_event__".*})\n')
PREAMBLE = "from user import *; from means import *\n"
OURS = "cirron|"  # how the lines of cirron's logger begin, see `programs/user.py`


def run(fault: Fault, stage: Stage, recording: bool) -> Ran:
    """Run the program to its end in the stage's folder, which is made for it, causing the fault.

    Raises:
        subprocess.TimeoutExpired: it hung, and was killed.
    """
    _set(fault, stage)
    with contextlib.ExitStack() as stack:
        if recording and fault.server is not None:
            stage.server = stack.enter_context(fault.server())
        ear = Ear(lambda moment, pid: fault.at[moment](stage, pid) if moment in fault.at else None)
        stack.callback(ear.close)
        command = [*fault.launcher(stage), sys.executable, *fault.options, "-P", "program.py"]
        environ = _environ(fault, stage, ear.address, recording)
        exit_code, stdout, stderr = _communicate(command, stage, environ, fault.hung_s)
    ours, others = _sorted_lines(stderr.replace(str(stage.folder), ""))
    events, printed = _sorted_output(stdout)
    return Ran(exit_code, printed, events, others, ours, ear.healths, ear.moments, ear.failures)


def _set(fault: Fault, stage: Stage) -> None:
    stage.root.parent.mkdir(parents=True)
    stage.aside.mkdir()
    (stage.folder / "home").mkdir()
    (stage.root.parent / "program.py").write_text(PREAMBLE + fault.program)
    with (stage.folder / "books").open("wb") as books:
        books.truncate(fault.lanes * fault.steps)


def _environ(fault: Fault, stage: Stage, line: str, recording: bool) -> Mapping[str, str]:
    paths = [PROGRAMS] if recording else [PROGRAMS / "without", PROGRAMS]
    paths += [Path(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CIRRON_", "PYTHON"))}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "HOME": str(stage.folder / "home"),
        "FAULTS_BOOKS": str(stage.folder / "books"),
        "FAULTS_STEPS": str(fault.steps),
        "FAULTS_LINE": line,
        **fault.environ,
        **(stage.server.environ if stage.server is not None else {}),
    }


def _communicate(
    command: list[str], stage: Stage, environ: Mapping[str, str], hung_s: float
) -> tuple[int, str, str]:
    """Output goes to files, which a child that outlives the program does not keep open for us."""
    with (stage.folder / "stdout").open("w+") as out, (stage.folder / "stderr").open("w+") as err:
        stage.process = subprocess.Popen(
            command, cwd=stage.root.parent, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        try:
            exit_code = stage.process.wait(hung_s)
        except subprocess.TimeoutExpired:
            stage.process.kill()
            stage.process.wait()
            raise
        out.seek(0)
        err.seek(0)
        return exit_code, out.read(), err.read()


def _sorted_output(stdout: str) -> tuple[list[str], str]:
    """The lines that are events, and what is left when they are taken away with the newline before each."""
    return EVENT.findall(stdout), EVENT.sub("", stdout)


def _sorted_lines(stderr: str) -> tuple[list[str], str]:
    lines = stderr.splitlines(keepends=True)
    ours = [line.rstrip("\n") for line in lines if line.startswith(OURS)]
    return ours, "".join(line for line in lines if not line.startswith(OURS))
