"""Training in several processes that work on one model."""

import ast
import os
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path

from support.spool_pictures import batches_of, draw

PROGRAM = Path(__file__).parent / "programs/distributed/ddp.py"
HUNG_S = 240


def run(code):
    """What the processes print, by their rank. They meet on the loopback interface, at a port that is free."""
    Path("train.py").write_text(code, encoding="utf-8")
    torchrun = [
        "torch.distributed.run",
        "--nproc-per-node=2",
        "--rdzv-backend=c10d",
        "--rdzv-endpoint=127.0.0.1:0",
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *torchrun, "--local-addr=127.0.0.1", "train.py"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PROGRAM.parent.parent), *sys.path]),
            "GLOO_SOCKET_IFNAME": "lo" if sys.platform == "linux" else "lo0",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        encoding="utf-8",
        timeout=HUNG_S,
    )
    assert done.returncode == 0, done.stderr
    return sorted(done.stdout.splitlines())


def test_each_rank_has_its_tree_and_computes_what_it_computes_without():
    code = PROGRAM.read_text(encoding="utf-8")
    _, _, expected = cleandoc(ast.get_docstring(ast.parse(code))).partition("\n\n")
    printed = run(code)
    spool = Path(".cirron/spool")
    assert draw(spool) == f"{expected}\n{expected}"
    sessions = {(batch.session_id, span.rank) for batch in batches_of(spool) for span in batch.spans}
    assert sorted(rank for _, rank in sessions) == [0, 1]
    assert run(code.replace("ci.profile()", "pass")) == printed
    first, second = (line.split() for line in printed)
    assert (first[0], second[0], first[2]) == ("0:", "1:", second[2])  # both have learned the same
