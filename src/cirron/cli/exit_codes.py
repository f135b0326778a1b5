"""What the command's exit code says; wrong usage is click's own 2."""

from __future__ import annotations

DONE = 0
FAILED = 1  # standard error says why
REGRESSION = 3  # `traces diff --fail-on-regression` found one
INTERRUPTED = 130
