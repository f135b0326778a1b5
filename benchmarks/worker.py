"""The measuring process: one line of JSON on standard output for each line on standard input."""

import json
import sys

from benchmarks.settings import SIZES
from benchmarks.suites import SUITES


def main(suite: str, size: str) -> None:
    measure = SUITES[suite](SIZES[size])
    for _ in sys.stdin:
        print(json.dumps(measure()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
