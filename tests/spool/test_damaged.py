"""Whatever lies in a spool, reading goes on; what cannot be read is named, with position and reason."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cirron.spool import read
from corpus.make_corpus import CASES, TWO, Case, write_case
from support.spool_files import batch, put


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_damage_is_reported_and_the_rest_is_read(case: Case, tmp_path):
    write_case(case, tmp_path)
    reader = read(tmp_path)
    names = [file.name for file, _ in reader.entries()]
    assert TWO in names
    assert [str(problem) for problem in reader.problems] == list(case.problems)


def test_each_cut_of_a_batch_is_reported_at_its_end(tmp_path):
    path = put(tmp_path, batch(1))
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        reader = read(tmp_path)
        assert list(reader.batches()) == []
        assert [problem.position for problem in reader.problems] == [f"byte {length}"]


def test_a_file_that_vanishes_while_reading_is_no_problem(tmp_path):
    paths = [put(tmp_path, batch(number)) for number in (1, 2, 3)]
    reader = read(tmp_path)
    batches = reader.batches()
    seen = [next(batches).created_ns]
    paths[1].unlink()
    seen += [later.created_ns for later in batches]
    assert (seen, reader.problems) == ([1, 3], [])


def test_a_file_the_system_refuses_is_reported(tmp_path):
    """Run without the power to read everything, which root has; the child steps down where it must."""
    put(tmp_path, batch(1)).chmod(0)
    tmp_path.chmod(0o755)
    script = (
        "import os, sys\n"
        "from cirron.spool.decode import load\n"
        "from pathlib import Path\n"
        "spool = os.open(sys.argv[1], os.O_RDONLY); os.fchdir(spool)\n"
        "os.geteuid() or os.seteuid(65534)\n"
        "print(load(next(Path('.').glob('*.json'))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, env=os.environ
    )
    assert done.stdout == f"{1:020d}-{1:032x}.json: Permission denied\n", done.stderr


def test_the_corpus_can_be_written_as_files(tmp_path):
    script = Path(__file__).parents[1] / "corpus" / "make_corpus.py"
    corpus = tmp_path / "corpus"
    subprocess.run([sys.executable, script, corpus], check=True, stdout=subprocess.DEVNULL)
    assert sorted(folder.name for folder in corpus.iterdir()) == sorted(case.name for case in CASES)
