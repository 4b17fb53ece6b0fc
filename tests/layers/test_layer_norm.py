import keras
import numpy as np

from kcv.layers.layer_norm import LayerNorm

RNG = np.random.default_rng(0)


def pair(shape):
    layers = LayerNorm(epsilon=1e-3), keras.layers.LayerNormalization(epsilon=1e-3)
    weights = [RNG.normal(size=shape[-1:]) for _ in range(2)]
    for layer in layers:
        layer.build(shape)
        layer.set_weights(weights)
    return layers


def test_equals_the_stock_layer():
    x = RNG.normal(3, 2, (4, 5, 6)).astype("float32")
    ours, stock = pair(x.shape)
    np.testing.assert_allclose(ours(x), stock(x), atol=1e-5)
    assert isinstance(ours, keras.layers.LayerNormalization)


def test_small_differences_of_large_numbers():
    """Trap: the mean of the squares less the square of the mean is 0 in float32."""
    x = np.array([[1e4 - 1, 1e4 + 1]], "float32")
    ours = LayerNorm(epsilon=1e-6)(x)
    np.testing.assert_allclose(ours, [[-1, 1]], atol=1e-3)


def test_saves_and_loads(tmp_path):
    inputs = keras.Input((5, 6))
    model = keras.Model(inputs, LayerNorm(epsilon=1e-6)(inputs))
    model.set_weights([RNG.normal(size=w.shape) for w in model.weights])
    x = RNG.normal(size=(2, 5, 6)).astype("float32")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x), model(x))
    assert again.layers[-1].epsilon == 1e-6
