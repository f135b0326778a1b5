"""What the tests of logins share."""

import pytest

from support.platform_server import Platform


@pytest.fixture
def platform():
    """A platform on the loopback interface, with nobody logged in."""
    platform = Platform()
    yield platform
    platform.stop()
