"""What holds for all tests."""

import gc
import sys

import pytest
from hypothesis import HealthCheck, settings

# How fast examples are made says something of the machine, not of the code.
settings.register_profile(
    "kcv", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("kcv")


@pytest.fixture(autouse=True, scope="module")
def forget_models():
    """Gives the memory of a module's models back before the next module's are built."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()
        gc.collect()
