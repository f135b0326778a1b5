"""Measures everything and writes the table: `python -m benchmarks [--quick] [--ours] [--readme]`."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from benchmarks import machine, processes, sdk, table
from benchmarks.driver import ROOT, Samples, interleaved, medians, progress
from benchmarks.rows import CIRRON, DISABLED, SDK
from benchmarks.settings import SIZES


def main() -> None:
    options = _options()
    options.output.mkdir(parents=True, exist_ok=True)
    facts = machine.describe()
    size = "quick" if options.quick else "full"
    samples = measure(options.ours, size, options.output)
    results = {section: medians(of_section) for section, of_section in samples.items()}
    report = table.markdown(results, facts)
    settings = dataclasses.asdict(SIZES[size])
    raw: dict[str, object] = {"machine": facts, "settings": settings, "medians": results, "samples": samples}
    _write(options.output, report, raw)
    progress("")
    print(report)
    if options.readme:
        table.write_between_markers(ROOT / "README.md", report)


def measure(only_ours: bool, size: str, folder: Path) -> dict[str, Samples]:
    """Section by section, everything that belongs side by side in turns."""
    settings = SIZES[size]
    pythons = {CIRRON: sys.executable} | ({} if only_ours else {SDK: sdk.python(folder / "sdk-env")})

    def both(suite: str, rounds: int) -> Samples:
        return interleaved({name: (python, suite) for name, python in pythons.items()}, size, rounds, folder)

    return {
        "operations": interleaved(_operation_workers(pythons), size, settings.operation_rounds, folder),
        "sustained": both("sustained", settings.sustained_rounds),
        "drain": both("drain", settings.drain_rounds),
        "slowdown": both("slowdown", settings.loop_rounds),
        "delivery": interleaved({CIRRON: (pythons[CIRRON], "delivery")}, size, settings.loop_rounds, folder),
        "train": both("train", settings.training_rounds),
        "import": processes.start_milliseconds(pythons, settings.import_rounds, folder),
        "memory": processes.resident_megabytes(pythons, settings.memory_rounds, folder),
    }


def _operation_workers(pythons: dict[str, str]) -> dict[str, tuple[str, str]]:
    ours = {
        CIRRON: (pythons[CIRRON], "operations" if SDK in pythons else "operations_alone"),
        DISABLED: (pythons[CIRRON], "operations_disabled"),
    }
    return ours | ({SDK: (pythons[SDK], "operations_sdk")} if SDK in pythons else {})


def _write(folder: Path, report: str, raw: dict[str, object]) -> None:
    (folder / "cost.md").write_text(report + "\n")
    (folder / "cost.json").write_text(json.dumps(raw, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=sys.modules[__name__].__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="few and short samples: tries the machinery, proves no number"
    )
    parser.add_argument("--ours", action="store_true", help="only cirron and the floors; installs nothing")
    parser.add_argument(
        "--readme", action="store_true", help="put the table between the markers in README.md"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "build" / "bench",
        help="folder for cost.md, cost.json and the records",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
