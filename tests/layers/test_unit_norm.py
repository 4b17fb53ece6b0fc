import keras
import numpy as np

from kcv.layers.unit_norm import UnitNorm


def test_equals_the_stock_layer():
    vectors = np.random.default_rng(0).normal(size=(4, 3, 7)).astype("float32")
    expected = keras.layers.UnitNormalization()(vectors)
    np.testing.assert_allclose(UnitNorm()(vectors), expected, rtol=1e-6)


def test_zero_stays_zero():
    np.testing.assert_array_equal(UnitNorm()(np.zeros((2, 3), "float32")), 0)
