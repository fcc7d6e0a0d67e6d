"""Hypothesis: the same examples on every run, no deadline (the first call of a kernel compiles it)."""

import pytest
from hypothesis import HealthCheck, settings
from peers import need

settings.register_profile(
    "crossbar",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("crossbar")


@pytest.fixture(scope="session")
def ngspice() -> str:
    """Path of ngspice; the test is skipped, or fails where peers are required, if there is none."""
    return str(need("ngspice"))
