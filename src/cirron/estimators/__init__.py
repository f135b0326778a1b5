"""Scopes around what scikit-learn estimators do, for `cirron.wrap`."""

from cirron.estimators.recorded_class import Owner, turn_into
from cirron.estimators.wrapping import wrap

__all__ = ["Owner", "turn_into", "wrap"]
