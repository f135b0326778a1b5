"""No fault changes what the user's program does, and no record is lost without being counted."""

import pytest

from faults.catalogue import FAULTS
from faults.causing import causing


@pytest.fixture(scope="module")
def outcomes(request):
    """Of the faults that were asked for, several caused at once, and all before the first test looks."""
    chosen = [
        item.callspec.params["fault"] for item in request.session.items if item.module is request.module
    ]
    with causing(chosen) as futures:
        return {fault.name: future.result() for fault, (future,) in zip(chosen, futures, strict=True)}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_nothing_is_lost_uncounted_and_nothing_changes_for_the_user(fault, outcomes):
    assert not outcomes[fault.name].wrong, "\n".join(outcomes[fault.name].wrong)
