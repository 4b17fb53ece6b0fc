"""Contrast normalisation, and that stock Keras has the others as the papers do."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy import ndimage

from kcv.layers.contrast_norm import ContrastNorm

IMAGES = np.random.default_rng(0).normal(2, 3, (3, 12, 11, 4)).astype("float32")


def _slow(image, size, sigma, epsilon):
    """The paper's formulas with scipy.ndimage, channels together."""
    steps = np.arange(size) - size // 2
    bell = np.exp(-0.5 * (steps / sigma) ** 2)
    bell /= bell.sum()

    def around(x):
        return ndimage.correlate(x.mean(-1), np.outer(bell, bell), mode="mirror")

    centred = image - around(image)[..., None]
    deviation = np.sqrt(np.maximum(around(centred**2), epsilon**2))
    return centred / np.maximum(deviation, deviation.mean())[..., None]


@pytest.mark.parametrize(("size", "sigma"), [(9, None), (5, 2.0), (1, 1.0)])
def test_contrast_equals_scipy(size, sigma):
    y = ContrastNorm(size, sigma)(IMAGES)
    for image, got in zip(IMAGES, np.asarray(y)):
        expected = _slow(image.astype("float64"), size, sigma or size / 4, 1e-4)
        np.testing.assert_allclose(got, expected, atol=1e-4)


def test_contrast_of_a_constant_is_nothing():
    """Trap: no border appears, nothing is divided by zero; nor in the gradient."""
    tf = pytest.importorskip("tensorflow")
    x = tf.ones((1, 12, 12, 1)) * 5
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = ContrastNorm()(x)
        total = tf.reduce_sum(y * np.arange(144.0).reshape(1, 12, 12, 1))
    np.testing.assert_allclose(y, 0, atol=0.02)  # rounding over the epsilon
    assert np.isfinite(tape.gradient(total, x)).all()


def test_contrast_forgets_light():
    """Half the light and another zero give the same picture."""
    y, darker = ContrastNorm(5)(IMAGES), ContrastNorm(5)(0.5 * IMAGES + 3)
    np.testing.assert_allclose(darker, y, atol=1e-4)


def test_contrast_gradient_equals_differences():
    tf = pytest.importorskip("tensorflow")
    layer, rng = ContrastNorm(3), np.random.default_rng(0)
    x, way = IMAGES[:1, :6, :6], rng.normal(size=(1, 6, 6, 4)).astype("float32")
    up = rng.normal(size=(1, 6, 6, 4)).astype("float32")
    with tf.GradientTape() as tape:
        tensor = tf.constant(x)
        tape.watch(tensor)
        total = tf.reduce_sum(layer(tensor) * up)
    slope = float(tf.reduce_sum(tape.gradient(total, tensor) * way))
    ends = [float(tf.reduce_sum(layer(x + s * way) * up)) for s in (1e-2, -1e-2)]
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-2, rel=2e-2, abs=1e-2)


def test_contrast_in_a_model(tmp_path):
    images = keras.Input((None, None, 4))
    model = keras.Model(images, ContrastNorm(5, 1.5, 1e-3)(images))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(IMAGES[:1]), model(IMAGES[:1]))
    with pytest.raises(ValueError, match="kernel_size must be odd and positive, got 4"):
        ContrastNorm(4)


@pytest.mark.parametrize(
    ("layer", "axes"),
    [
        (layers.BatchNormalization(epsilon=1e-3), (0, 1, 2)),
        (layers.LayerNormalization(axis=(1, 2, 3), epsilon=1e-3), (1, 2, 3)),
        (layers.GroupNormalization(groups=-1, epsilon=1e-3), (1, 2)),  # instance norm
        (layers.GroupNormalization(groups=1, epsilon=1e-3), (1, 2, 3)),
    ],
    ids=["batch", "layer", "instance", "one group"],
)
def test_stock_layers_differ_in_their_axes_alone(layer, axes):
    mean = IMAGES.mean(axes, keepdims=True)
    variance = IMAGES.var(axes, keepdims=True)
    got = layer(IMAGES, training=True)
    np.testing.assert_allclose(
        got, (IMAGES - mean) / np.sqrt(variance + 1e-3), atol=1e-4
    )


def test_group_normalisation_takes_neighbouring_channels():
    grouped = IMAGES.reshape(3, 12, 11, 2, 2)
    mean = grouped.mean((1, 2, 4), keepdims=True)
    variance = grouped.var((1, 2, 4), keepdims=True)
    expected = ((grouped - mean) / np.sqrt(variance + 1e-3)).reshape(IMAGES.shape)
    got = layers.GroupNormalization(groups=2, epsilon=1e-3)(IMAGES)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_dropout_scales_while_training_and_is_nothing_after():
    ones = np.ones((1, 100_000), "float32")
    layer = layers.Dropout(0.25, seed=0)
    kept = np.asarray(layer(ones, training=True))
    assert set(np.unique(kept)) == {0.0, np.float32(1 / 0.75)}
    assert kept.mean() == pytest.approx(1, abs=0.01)
    np.testing.assert_array_equal(layer(ones, training=False), ones)
