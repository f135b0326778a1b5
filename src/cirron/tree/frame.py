"""A tree as a pandas data frame, one row a span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cirron.errors import CirronDependencyError
from cirron.tree.build import Tree
from cirron.tree.dicts import wall_us

if TYPE_CHECKING:
    import pandas

_TEXT = ("id", "parent_id", "name")
_WHOLE = ("index", "wall_us", "cpu_ns", "gpu_ns", "memory_peak_bytes", "mark_count", "depth")


def to_frame(tree: Tree) -> pandas.DataFrame:
    """The columns `id parent_id name index wall_us cpu_ns gpu_ns memory_peak_bytes mark_count depth`.

    Rows stand in the order of the tree, parents first. Whole numbers stay whole, with NA for what is unknown.

    Raises:
        CirronDependencyError: pandas is not installed.

    Example:
        to_frame(tree).groupby("name")["wall_us"].sum()
    """
    pandas = _pandas()
    columns: dict[str, list[Any]] = {name: [] for name in (*_TEXT, *_WHOLE)}
    appends = [column.append for column in columns.values()]
    for depth, node in tree.walk():
        span = node.span
        row = (
            span.id, span.parent_id, span.name, span.index, wall_us(node), span.cpu_ns, span.gpu_ns,
            span.memory_peak_bytes, len(node.marks), depth,
        )  # fmt: skip
        for append, value in zip(appends, row, strict=True):
            append(value)
    # These types can hold a missing value, where the ordinary ones would turn whole numbers into floats.
    types = dict.fromkeys(_TEXT, "string") | dict.fromkeys(_WHOLE, "Int64")
    return pandas.DataFrame({name: pandas.array(columns[name], dtype=types[name]) for name in columns})


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise CirronDependencyError(
            'a data frame needs pandas, which is not installed: pip install "cirron[pandas]"'
        ) from error
    return pandas
