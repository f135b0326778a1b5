"""A flight recorder for machine-learning training and inference.

import cirron as ci

ci.profile()
for epoch in ci.epochs(range(3)):
    with ci.scope("train"):
        ci.mark("loss", 0.1)
ci.trace()
"""

from cirron._recorder import batches, epochs, mark, scope
from cirron._version import __version__
from cirron.errors import CirronConfigError, CirronDependencyError, CirronError
from cirron.instance import Cirron, Profiler
from cirron.serving import inference
from cirron.session import flush, health, profile, shutdown, trace, watch, wrap

__all__ = [
    "Cirron",
    "CirronConfigError",
    "CirronDependencyError",
    "CirronError",
    "Profiler",
    "__version__",
    "batches",
    "epochs",
    "flush",
    "health",
    "inference",
    "mark",
    "profile",
    "scope",
    "shutdown",
    "trace",
    "watch",
    "wrap",
]
