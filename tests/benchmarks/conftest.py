"""The benchmarks are programs of the repository, not part of the installed package."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent.parent))
