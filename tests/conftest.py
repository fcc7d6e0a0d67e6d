"""Hypothesis: the same examples on every run, no deadline (the first call of a kernel compiles it)."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "crossbar",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("crossbar")
