"""An environment of its own for cirron-sdk, which has the same import name."""

from pathlib import Path

from benchmarks import environments

VERSION = "0.3.0"


def python(folder: Path) -> str:
    """The interpreter of an environment with cirron-sdk, made with this one unless it exists."""
    return environments.python(folder, f"cirron-sdk=={VERSION}")
