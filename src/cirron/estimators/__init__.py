"""Scopes around what scikit-learn estimators do, for `cirron.wrap`."""

from cirron.estimators.wrapping import wrap

__all__ = ["wrap"]
