import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def examples():
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def run(example, folder):
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], cwd=folder, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def test_the_example_of_a_training_prints_its_tree(tmp_path):
    training, _ = examples()
    printed = run(training, tmp_path)
    for name in ("epoch", "batch", "forward", "final_loss"):
        assert name in printed


def test_the_example_of_the_memory_prints_its_phases(tmp_path):
    _, memory = examples()
    load, train = run(memory, tmp_path).splitlines()
    assert load.startswith("phase exit: load {")
    assert train.startswith("phase exit: train {")
    assert (tmp_path / "memory.jsonl").exists()
