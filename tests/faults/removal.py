"""Somebody takes the recorder's files away while it records."""

from __future__ import annotations

import signal

from faults.endings import send
from faults.fault import Fault

START = "ci.profile(flush_interval=0.02)\ntrain(500); ci.flush()\n"
AFTERWARDS = "for _ in range(3): train(200); ci.flush()\nprint('trained')\n"

FAULTS = [
    Fault(
        "spool folder renamed",
        "`.cirron/spool` moved elsewhere",
        START + "take_away(ROOT / 'spool')\n" + AFTERWARDS,
    ),
    Fault(
        "spool folder renamed again and again",
        "from another thread, while it trains",
        "import threading\n" + START + "stop = threading.Event()\n"
        "def take():\n"
        "    while not stop.is_set(): take_away(ROOT / 'spool')\n"
        "thread = threading.Thread(target=take); thread.start()\n"
        "for _ in range(30): train(50); ci.flush()\n"
        "stop.set(); thread.join()\n" + AFTERWARDS,
        perhaps=(r"No such file",),  # gone again between two of our calls
    ),
    Fault(
        "batches taken away",
        "each file moved elsewhere as it comes",
        START + "for _ in range(10):\n"
        "    for file in list(ROOT.glob('spool/*.json')): take_away(file)\n"
        "    train(50); ci.flush()\n" + AFTERWARDS,
    ),
    Fault(
        "journal removed",
        "`.cirron/journal/*.journal` deleted",
        START + "for file in list(ROOT.glob('journal/*.journal')): file.unlink()\n" + AFTERWARDS,
        (r"journal.*",),
    ),
    Fault(
        "journal folder renamed",
        "`.cirron/journal` moved elsewhere",
        START + "take_away(ROOT / 'journal')\n" + AFTERWARDS,
        (r"journal.*",),
    ),
    Fault(
        "everything renamed",
        "`.cirron` moved elsewhere",
        START + "take_away(ROOT)\n" + AFTERWARDS,
        (r"journal.*",),
    ),
    Fault(
        "everything renamed, then killed",
        "`.cirron` moved elsewhere, then SIGKILL",
        START + "take_away(ROOT)\n" + AFTERWARDS + "moment('training'); train(300)\n",
        (r"journal.*",),
        at={"training": send(signal.SIGKILL)},
        ended=("killed",),
    ),
    Fault(
        "working directory left and removed",
        "`os.chdir`, and a relative path",
        START + "os.mkdir('../other'); os.chdir('../other'); os.rmdir('../other')\n" + AFTERWARDS,
    ),
]
