"""What holds for all tests."""

import gc
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# How fast examples are made says something of the machine, not of the code.
settings.register_profile(
    "kcv", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("kcv")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """The random numbers of a test do not depend on the tests before it."""
    if isinstance(getattr(item.module, "RNG", None), np.random.Generator):
        item.module.RNG.bit_generator.state = np.random.PCG64(0).state
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish():
    """What the imports made stays; the collector need not look at it any more."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def eager():
    """Without graphs, which take longer to make than a few steps of training."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(autouse=True, scope="module")
def forget_models():
    """Gives the memory of a module's models back before the next module's are built."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()
        gc.collect()
