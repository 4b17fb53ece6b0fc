import keras
import numpy as np
import pytest

from kcv.layers.activations import ACTIVATIONS, activation_layer
from kcv.layers.maxout import Maxout

X = np.array([[-2.0, -0.5, 0.0, 0.5, 2.0, 7.0]], "float32")


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
        ("tanh", np.tanh),
        ("relu", lambda x: np.maximum(x, 0)),
        ("leaky_relu", lambda x: np.where(x > 0, x, 0.1 * x)),
        ("elu", lambda x: np.where(x > 0, x, np.exp(x) - 1)),
        ("maxout", lambda x: np.stack([x[:, ::2], x[:, 1::2]]).max(0)),
    ],
)
def test_formulas(name, formula):
    layer = activation_layer(name, "act")
    np.testing.assert_allclose(layer(X), formula(X), rtol=1e-6, atol=1e-7)
    assert layer.name == "act" and not layer.weights
    assert layer.compute_output_shape((None, 6))[1] == formula(X).shape[1]


def test_all_are_tested_and_others_refused():
    assert len(ACTIVATIONS) == 6
    with pytest.raises(ValueError, match="no activation 'relu7'; known: sigmoid, tanh"):
        activation_layer("relu7")


def test_maxout_by_hand():
    """Pencil: groups of three neighbours."""
    x = np.array([[[1.0, 5.0, 2.0, -3.0, -1.0, -2.0]]], "float32")
    np.testing.assert_array_equal(Maxout(3)(x), [[[5.0, -1.0]]])


def test_maxout_of_two_lines_is_the_absolute_value():
    """Special case: max(x, -x); and max(x, 0) is a ReLU (section 3 of the paper)."""
    x = np.linspace(-2, 2, 9, dtype="float32")[:, None]
    pairs = keras.ops.matmul(x, np.array([[1.0, -1.0, 1.0, 0.0]], "float32"))
    np.testing.assert_allclose(
        Maxout(2)(pairs), np.concatenate([abs(x), np.maximum(x, 0)], 1)
    )


def test_maxout_gradient_goes_to_the_winner():
    tf = pytest.importorskip("tensorflow")
    x = tf.constant([[1.0, 5.0, 2.0, -3.0, -1.0, -2.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(Maxout(3)(x) * tf.constant([[2.0, 3.0]]))
    np.testing.assert_array_equal(tape.gradient(total, x), [[0, 2, 0, 0, 3, 0]])


def test_maxout_in_a_model(tmp_path):
    """Life: on maps of any size, saved and loaded."""
    images = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(8, 3)(images)
    model = keras.Model(images, Maxout(2)(x))
    assert model.output_shape == (None, None, None, 4)
    batch = np.random.default_rng(0).normal(size=(1, 5, 7, 1)).astype("float32")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    answers = [m(batch) for m in (model, loaded)]
    assert answers[0].shape == (1, 3, 5, 4)
    np.testing.assert_array_equal(*answers)


def test_maxout_errors():
    with pytest.raises(ValueError, match="5 channels do not split into groups of 2"):
        Maxout(2)(np.zeros((1, 5), "float32"))
    with pytest.raises(ValueError, match="pieces must be a positive .*, got 0"):
        Maxout(0)
