import math

import keras
import numpy as np
import pytest

from kcv.layers.angular_margin import AngularMargin

RNG = np.random.default_rng(0)


def unit(count, width=8):
    x = RNG.normal(size=(count, width))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32")


def on_a_circle(degrees, **kwargs):
    """Logit of class 0, at 0 degrees, for embeddings of it in the plane."""
    angles = np.radians(degrees)
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype("float32")
    layer = AngularMargin(2, scale=1.0, **kwargs)
    layer.build([(None, 2), (None,)])
    layer.kernel.assign([[3.0, 0.0], [0.0, 5.0]])  # the length of a column is nothing
    return np.asarray(layer([embeddings, np.zeros(len(degrees), "int32")]))[:, 0]


def test_arcface_by_pencil():
    """30 degrees and a margin of 30 are 60: the cosine 1/2."""
    logits = on_a_circle([30, 60], margin=math.pi / 6)
    np.testing.assert_allclose(logits, [0.5, 0.0], atol=1e-6)


def test_sphereface_by_pencil():
    """Factor 2: 30 degrees are as 60; 150 as 300: -cos 300 - 2 = -2.5."""
    logits = on_a_circle([30, 150], margin=0.0, factor=2)
    np.testing.assert_allclose(logits, [0.5, -2.5], atol=1e-5)


@pytest.mark.parametrize(("margin", "factor"), [(0.5, 1), (0.0, 4), (0.3, 2)])
def test_a_larger_angle_is_never_better(margin, factor):
    """Trap: the cosine rises again after 180 degrees; and no jump where it turns."""
    degrees = np.linspace(0.5, 179.5, 2000)
    logits = on_a_circle(degrees, margin=margin, factor=factor)
    assert np.all(np.diff(logits) <= 1e-5)
    assert np.abs(np.diff(logits)).max() < 0.02


def test_without_labels_or_margin_cosines():
    embeddings, labels = unit(5), np.arange(5) % 3
    layer = AngularMargin(3, margin=0.4, scale=10.0)
    plain = np.asarray(layer(embeddings))
    kernel = np.asarray(layer.kernel)
    wanted = 10 * embeddings @ (kernel / np.linalg.norm(kernel, axis=0))
    np.testing.assert_allclose(plain, wanted, atol=1e-5)
    logits = np.asarray(layer([embeddings, labels]))
    right = np.eye(3, dtype=bool)[labels]
    np.testing.assert_allclose(logits[~right], plain[~right], atol=1e-5)
    assert np.all(logits[right] < plain[right] - 0.1)
    layer.margin = 0.0
    np.testing.assert_allclose(layer([embeddings, labels]), plain, atol=1e-4)


def test_embedding_on_its_class_stays_finite():
    """Trap: the inverse cosine's slope is infinite there."""
    import tensorflow as tf

    layer = AngularMargin(2)
    layer.build([(None, 2), (None,)])
    layer.kernel.assign(np.eye(2))
    embeddings = tf.constant([[1.0, 0.0], [-1.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(embeddings)
        logits = layer([embeddings, tf.constant([0, 0])])
    assert np.isfinite(logits).all()
    assert np.isfinite(tape.gradient(logits, embeddings)).all()


def test_saves_and_loads(tmp_path):
    inputs = keras.Input((8,))
    labels = keras.Input((), dtype="int32")
    layer = AngularMargin(3, margin=0.2, factor=2, scale=5.0)
    model = keras.Model([inputs, labels], layer([inputs, labels]))
    assert model.output_shape == (None, 3) and model.count_params() == 24
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    batch = [unit(5), np.arange(5) % 3]
    np.testing.assert_array_equal(again(batch), model(batch))
    assert again.layers[-1].get_config() == layer.get_config()
