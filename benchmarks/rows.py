"""The rows of the table: which medians make a number, and the target it is held against."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.cases import EMPTY_LOOP, LOCK

CIRRON, DISABLED, SDK = "cirron", "cirron disabled", "cirron-sdk"

Results = dict[str, dict[str, dict[str, float]]]
"""Section to process to case to median: exactly what the JSON file holds under `medians`."""


@dataclass(frozen=True)
class Operation:
    """One recorded operation; `most_locks` and `least_times` are its targets, None where it has none."""

    label: str
    case: str
    most_locks: float | None = None
    least_times: float | None = None
    process: str = CIRRON


OPERATIONS = (
    Operation('`with scope("forward")`', "scope", 0.75, 50),
    Operation('`scope("step", index=i)`', "scope index"),
    Operation('`scope("forward", split="train")`', "scope attribute", 0.85),
    Operation('`scope(f"layer{i}")`, f-string included', "scope dynamic name"),
    Operation("three nested scopes", "scope nested"),
    Operation("scope object held, `with s:`", "scope held"),
    Operation('`mark("loss", 0.5)`', "mark", 0.30, 100),
    Operation('`mark("loss", 0.5, step=i)`', "mark attribute"),
    Operation("`for x in batches(...)`, per item", "batches", 0.30),
    Operation("`for x in epochs(...)`, per item", "epochs"),
    Operation("scope, `enabled=False`", "scope", 0.35, process=DISABLED),
    Operation("mark, `enabled=False`", "mark", process=DISABLED),
)

NEIGHBOURS = (
    ("uncontended `with lock:`", LOCK),
    ("empty Python context manager", "python context manager"),
    ("OpenTelemetry `start_as_current_span`, batch processor, null exporter", "opentelemetry"),
    ("the same with one attribute", "opentelemetry attribute"),
    ("`nvtx.annotate`, no tool attached", "nvtx"),
    ("`torch.profiler.record_function`, profiler off", "torch"),
)


@dataclass(frozen=True)
class Figure:
    """One measurement of a whole process; `pick` takes it from a section's medians of one process."""

    label: str
    section: str
    pick: Callable[[dict[str, float]], float]
    unit: str
    most: float | None = None
    least: float | None = None


def _over(case: str, base: str) -> Callable[[dict[str, float]], float]:
    return lambda medians: medians[case] - medians[base]


def _percent(case: str) -> Callable[[dict[str, float]], float]:
    return lambda medians: medians[case] * 100


FIGURES = (
    Figure("`import cirron` over a bare interpreter", "import", _over("import", "bare"), "ms", most=20),
    Figure(
        "idle `ci.profile()` over `import cirron`, resident",
        "memory",
        _over("profile", "import"),
        "MB",
        most=12,
    ),
    Figure(
        "idle `ci.profile()` over bare Python, resident", "memory", _over("profile", "bare"), "MB", most=12
    ),
    Figure("first scope of a thread, resident", "memory", _over("one scope", "profile"), "MB"),
    Figure("drain, a span and its overhead mark", "drain", lambda m: m["scope"], "ns"),
    Figure("drain, a record of these two", "drain", lambda m: m["scope"] / 2, "ns", most=250),
    Figure("their bytes, only written to a file", "drain", lambda m: m["scope written"], "ns"),
    Figure("drain, the same with an attribute", "drain", lambda m: m["scope attribute"], "ns"),
    Figure("drain, a mark", "drain", lambda m: m["mark"], "ns", most=250),
    Figure("its bytes, only written to a file", "drain", lambda m: m["mark written"], "ns"),
    Figure("drain, spans a second", "drain", lambda m: 1e3 / m["scope"], "M/s"),
    Figure(
        "Python loop while 200k spans/s are drained", "slowdown", _percent("drained"), "% of alone", least=97
    ),
    Figure("spans/s reached there", "slowdown", lambda m: m["drained spans/s"] / 1e3, "k/s"),
    Figure(
        "Python loop while another thread records 200k spans/s",
        "slowdown",
        _percent("recorded"),
        "% of alone",
    ),
    Figure("spans/s reached there", "slowdown", lambda m: m["recorded spans/s"] / 1e3, "k/s"),
    Figure("the same, the thread only takes a lock", "slowdown", _percent("locked"), "% of alone"),
    Figure("Python loop while 20k spans/s are kept in the spool", "delivery", _percent("kept"), "% of alone"),
    Figure("the same, sent to a server that accepts them", "delivery", _percent("accepts"), "% of alone"),
    Figure("the same, the server answers 500", "delivery", _percent("fails"), "% of alone", least=97),
    Figure("the same, the server hangs", "delivery", _percent("hangs"), "% of alone", least=97),
    Figure("training step in NumPy, plain", "train", lambda m: m["plain"], "µs"),
    Figure("training step, 5 scopes and a mark recorded", "train", lambda m: m["recorded"], "µs"),
    Figure("overhead of recording it", "train", lambda m: (m["recorded/plain"] - 1) * 100, "%"),
)


def net_ns(medians: dict[str, float], case: str) -> float | None:
    """Nanoseconds of one operation without the loop around it; None when it was not measured."""
    return medians[case] - medians[EMPTY_LOOP] if case in medians else None


def in_locks(medians: dict[str, float], case: str) -> float | None:
    """The same as a multiple of the lock that was measured in the same process."""
    ns, lock_ns = net_ns(medians, case), net_ns(medians, LOCK)
    return ns / lock_ns if ns is not None and lock_ns else None


def times_cheaper(results: Results, operation: Operation) -> float | None:
    """How often the operation fits into one of cirron-sdk's, each in locks of its own process."""
    ours = in_locks(results["operations"][operation.process], operation.case)
    theirs = in_locks(results["operations"].get(SDK, {}), operation.case)
    return theirs / ours if ours and theirs and operation.process == CIRRON else None


def figure_value(results: Results, figure: Figure, process: str) -> float | None:
    """The figure of one process; None when the process or one of its parts was not measured."""
    try:
        return figure.pick(results[figure.section][process])
    except KeyError:
        return None


def sustained_ns(results: Results, process: str, case: str) -> float | None:
    return net_ns(results["sustained"].get(process, {}), case)


def sustained_drops(results: Results, process: str) -> float | None:
    return results["sustained"].get(process, {}).get("dropped")
