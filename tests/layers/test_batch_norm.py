import keras
import numpy as np

from kcv.layers.batch_norm import batch_norm


def test_running_statistics_keep_nine_tenths():
    """Pencil: mean 0 and variance 1 meet a batch of mean 10, variance 4.

    0.9 * 0 + 0.1 * 10 = 1 and 0.9 * 1 + 0.1 * 4 = 1.3.
    """
    layer = batch_norm("bn")
    layer(np.array([[8.0], [12.0]], "float32"), training=True)
    np.testing.assert_allclose(layer.moving_mean, [1.0], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [1.3], rtol=1e-6)


def test_arguments_reach_the_stock_layer():
    layer = batch_norm("bn", epsilon=0.5, scale=False)
    assert type(layer) is keras.layers.BatchNormalization
    assert (layer.name, layer.epsilon, layer.scale) == ("bn", 0.5, False)
