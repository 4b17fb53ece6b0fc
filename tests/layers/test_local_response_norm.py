"""Local response normalisation against a slow loop and tf.nn, with gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcv.export import convert
from kcv.layers.local_response_norm import LocalResponseNorm, local_response_norm

PAPER = {"depth_radius": 2, "bias": 2.0, "alpha": 1e-4, "beta": 0.75}
STRONG = {"depth_radius": 3, "bias": 1.0, "alpha": 0.5, "beta": 0.6}
CASES = [
    (PAPER, 7),
    (STRONG, 7),
    (STRONG | {"depth_radius": 0}, 5),
    (STRONG | {"depth_radius": 9}, 4),  # wider than the maps
    (STRONG | {"beta": 1.0}, 1),
]


def _images(channels, seed=0):
    images = np.random.default_rng(seed).normal(0, 3, (2, 3, 4, channels))
    images[0, 0, 0] = 0.0
    return images.astype("float32")


def _slow(x, depth_radius, bias, alpha, beta):
    out = np.zeros_like(x)
    for i in range(x.shape[-1]):
        low, high = max(0, i - depth_radius), min(x.shape[-1] - 1, i + depth_radius)
        total = sum(x[..., j] ** 2 for j in range(low, high + 1))
        out[..., i] = x[..., i] / (bias + alpha * total) ** beta
    return out


def test_with_a_pencil():
    """Three maps 1, 2, 3: sums 1 + 4, 1 + 4 + 9 and 4 + 9, plus a bias of 1."""
    x = np.array([[[[1.0, 2.0, 3.0]]]], "float32")
    out = local_response_norm(x, depth_radius=1, bias=1.0, alpha=1.0, beta=1.0)
    np.testing.assert_allclose(out, [[[[1 / 6, 2 / 15, 3 / 14]]]], rtol=1e-6)


@pytest.mark.parametrize(("arguments", "channels"), CASES)
def test_equals_the_slow_loop_and_tensorflow(arguments, channels):
    images = _images(channels)
    expected = _slow(images.astype("float64"), **arguments)
    layer = LocalResponseNorm(**arguments)
    np.testing.assert_allclose(layer(images), expected, rtol=1e-5, atol=1e-6)
    theirs = tf.nn.local_response_normalization(images, **arguments)
    np.testing.assert_allclose(layer(images), theirs, rtol=1e-5, atol=1e-6)
    assert layer.compute_output_shape(images.shape) == images.shape


@pytest.mark.parametrize(("arguments", "channels"), CASES)
def test_gradient_equals_tensorflows(arguments, channels):
    images, upstream = tf.constant(_images(channels)), tf.constant(_images(channels, 1))
    gradients = []
    for function in (local_response_norm, tf.nn.local_response_normalization):
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(upstream * function(images, **arguments))
        gradients.append(tape.gradient(loss, images))
    assert np.abs(gradients[1]).max() > 0.1
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(dtype):
    """Trap: float16 has no 300 * 300, and bfloat16 no 2 + 0.01."""
    layer = LocalResponseNorm(dtype=f"mixed_{dtype}")
    out = layer(tf.fill((1, 1, 1, 1), 300.0))
    assert out.dtype == dtype
    expected = 300 / (2 + 1e-4 * 300**2) ** 0.75
    np.testing.assert_allclose(float(out[0, 0, 0, 0]), expected, rtol=5e-3)


@pytest.mark.parametrize("batch", [0, 1])
def test_small_batches(batch):
    assert LocalResponseNorm()(np.ones((batch, 2, 3, 5))).shape == (batch, 2, 3, 5)


def _model(shape=(4, 6, 8), arguments=PAPER):
    images = keras.Input(shape, name="images")
    return keras.Model(images, LocalResponseNorm(**arguments, name="norm")(images))


def test_saves_and_loads(tmp_path):
    model = _model(arguments=STRONG)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    images = _images(8)[:, :1].repeat(4, 1)[:, :, [0, 1, 2, 3, 0, 1]]
    np.testing.assert_array_equal(again(images), model(images))
    config = again.get_layer("norm").get_config()
    assert config.items() >= STRONG.items() and not model.weights


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth_radius": -1}, "0 or more maps, got -1"),
        ({"bias": 0.0}, "got bias 0.0, alpha 0.0001"),
        ({"alpha": -1.0}, "got bias 2.0, alpha -1.0"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        LocalResponseNorm(**arguments)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [PAPER, STRONG])
@pytest.mark.parametrize("mode", ["float32", "int8"])
def test_exports(mode, arguments, tmp_path):
    """The gate passes builtin operators only, and in an int8 file no floats."""
    images = np.random.default_rng(0).uniform(-1, 1, (64, 4, 6, 8)).astype("float32")
    report = convert(
        _model(arguments=arguments),
        tmp_path / "x.tflite",
        quantize=mode,
        calibration=images,
    )
    assert report.operators["CONV_2D"] == 1
    assert report.parity["probabilities"] < {"float32": 1e-5, "int8": 0.05}[mode]
