"""Prints a spool, one record a line: `python -m cirron.spool.dump DIR`."""

import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from cirron.spool.reader import read

KINDS = (("span", "spans"), ("mark", "marks"), ("snapshot", "snapshots"), ("memory", "memory"))

_BARE = re.compile(r"[\w./:+-]+", re.ASCII)


def dump(directory: str | os.PathLike[str]) -> Iterator[str]:
    r"""The lines of a spool: each batch, then its records of each kind; at the end the problems.

    A line is the kind of record and its fields as `key=value`, values as in JSON, plain strings without
    quotes, nulls left out.

    Args:
        directory: the spool directory, a `.cirron` directory, or a directory that holds one.

    Raises:
        FileNotFoundError: there is no such directory.
        NotADirectoryError: the path is a file.

    Example:
        >>> print(*dump("runs/42"), sep="\n")
    """
    reader = read(directory)
    for batch in reader.batches():
        fields = msgspec.to_builtins(batch)
        records = [(kind, fields.pop(key, [])) for kind, key in KINDS]
        yield _line("batch", fields)
        for name, rows in records:
            yield from (_line(name, row) for row in rows)
    for problem in reader.problems:
        yield f"problem {problem}"


def _line(name: str, fields: dict[str, Any]) -> str:
    return " ".join([name, *(f"{key}={_value(value)}" for key, value in fields.items() if value is not None)])


def _value(value: Any) -> str:
    """A value on one line; what could confuse a reader or a terminal is quoted and escaped by JSON."""
    if isinstance(value, str) and _BARE.fullmatch(value):
        return value
    return json.dumps(value, separators=(",", ":"))


def main(arguments: list[str]) -> int:
    """Print the spool named by the one argument; 1 when something in it was left out, 2 on wrong usage."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m cirron.spool.dump DIR\n")
        return 2
    problems = 0
    for line in dump(arguments[0]):
        problems += line.startswith("problem ")
        sys.stdout.write(line + "\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
