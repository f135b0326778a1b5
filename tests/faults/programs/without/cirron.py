"""Stands in for cirron where a program runs for comparison: the same names, nothing behind them."""


class _Nothing:
    enabled = False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return False

    def __call__(self, function):
        return function

    def __getattr__(self, name):
        return lambda *args, **options: _NOTHING


_NOTHING = _Nothing()
Cirron = profile = scope = lambda *args, **options: _NOTHING


def mark(*args, **attrs):
    """Nothing."""


def flush():
    """Nothing."""


shutdown = flush


def health():
    """Of nobody."""
    return {}


def epochs(iterable):
    """The iterable."""
    return iterable


batches = epochs
