"""Durations as a person types them on a command line."""

from __future__ import annotations

import re

import click

_UNITS_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}
_FORM = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-zµ]+)")


class WallTime(click.ParamType[int]):
    """`1ms`, `0.5 s`, `250us`: becomes nanoseconds."""

    name = "duration"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The nanoseconds; wrong usage for anything else."""
        if isinstance(value, int):
            return value
        match = _FORM.fullmatch(value.strip().lower())
        if match is None or match[2] not in _UNITS_NS:
            self.fail(
                f"'{value}' is not a duration: give a number and one of {', '.join(_UNITS_NS)}, as in 1ms",
                param,
                ctx,
            )
        return round(float(match[1]) * _UNITS_NS[match[2]])
