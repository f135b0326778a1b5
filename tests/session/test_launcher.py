"""Rank and world size, as the launchers tell them."""

import pytest

from cirron.launcher import Placement, placement

TORCHRUN = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "TORCHELASTIC_RUN_ID": "job-7"}
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "3",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "4",
}
SLURM = {"SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NTASKS": "4", "SLURM_JOB_ID": "job-7"}


def test_a_process_alone_is_rank_0_of_1():
    assert placement({}) == (Placement(0, 0, 1, None), [])


@pytest.mark.parametrize(
    ("environ", "run_id"), [(TORCHRUN, "job-7"), (OPEN_MPI, None), (SLURM, "job-7")], ids=str
)
def test_each_launcher_is_understood(environ, run_id):
    assert placement(environ) == (Placement(3, 1, 4, run_id), [])


def test_torchrun_inside_of_slurm_goes_first():
    inside = {**SLURM, **TORCHRUN, "RANK": "2"}
    assert placement(inside)[0].rank == 2


def test_the_id_none_of_torchrun_is_no_id():
    assert placement({**TORCHRUN, "TORCHELASTIC_RUN_ID": "none"})[0].run_id is None


def test_a_local_rank_may_be_missing():
    assert placement({"RANK": "3", "WORLD_SIZE": "4"}) == (Placement(3, 0, 4, None), [])


@pytest.mark.parametrize(
    "nonsense",
    [
        {"RANK": "one"},
        {"RANK": "-1"},
        {"RANK": "4"},
        {"WORLD_SIZE": "0"},
        {"WORLD_SIZE": ""},
        {"LOCAL_RANK": "x"},
    ],
    ids=str,
)
def test_nonsense_gives_rank_0_of_1_and_a_warning_with_what_was_seen(nonsense):
    found, warnings = placement({**TORCHRUN, **nonsense})
    assert found == Placement(0, 0, 1, "job-7")
    (name, value), *_ = nonsense.items()
    assert len(warnings) == 1
    assert f"{name}={value!r}" in warnings[0]
    assert "torchrun" in warnings[0]


def test_a_rank_without_a_world_size_is_nonsense_too():
    found, warnings = placement({"RANK": "3"})
    assert found == Placement()
    assert "WORLD_SIZE unset" in warnings[0]
