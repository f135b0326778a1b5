import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_example_of_the_readme_runs_and_prints_its_tree(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)

    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], cwd=tmp_path, capture_output=True, text=True
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    for name in ("epoch", "batch", "forward", "final_loss"):
        assert name in ran.stdout
