import keras
import numpy as np
import pytest
from keras import layers

from kcv.layers.activations import ACTIVATIONS
from kcv.models.classification.lenet import lenet5
from kcv.models.classification.mobilenet_v3 import mobilenet_v3_small
from kcv.models.foundations.mlp import mlp
from kcv.models.swap_activations import swap_activations


@pytest.mark.parametrize("activation", ["tanh", "elu", "leaky_relu"])
def test_equals_the_model_built_with_it(activation):
    """Oracle: the builder's own argument, with the same weights."""
    swapped = swap_activations(mlp((4, 4, 1), 3), activation)
    name = "leaky_relu_01" if activation == "leaky_relu" else activation
    functions = {"leaky_relu_01": lambda x: keras.ops.leaky_relu(x, 0.1)}
    built = mlp((4, 4, 1), 3, activation=functions.get(name, name))
    built.set_weights(swapped.get_weights())
    images = np.random.default_rng(0).normal(size=(5, 4, 4, 1)).astype("float32")
    np.testing.assert_allclose(swapped(images), built(images), atol=1e-6)
    assert swapped.layers[-1].activation is keras.activations.softmax


def test_maxout_keeps_all_shapes_but_those_before_it():
    """Twice the units of both hidden layers: 17,226 parameters and half of it more."""
    model = mlp()
    swapped = swap_activations(model, "maxout")
    assert swapped.get_layer("hidden1").units == 256
    assert swapped.get_layer("hidden2").units == 128
    assert swapped.get_layer("predictions").kernel.shape == (64, 10)
    assert swapped.count_params() == 2 * 8320 + 2 * 8256 + 650
    assert model.get_layer("hidden1").units == 128  # untouched


def _conv_bn_relu6():
    x = images = keras.Input((6, 6, 3))
    for i, conv in enumerate([layers.Conv2D(4, 3), layers.DepthwiseConv2D(3)]):
        x = layers.ReLU(6.0, name=f"relu{i}")(layers.BatchNormalization()(conv(x)))
    x = layers.Dense(5, activation="softmax")(layers.Flatten()(x))
    return keras.Model(images, x), 2


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    "build",
    [lambda: (lenet5((12, 12, 1)), 4), _conv_bn_relu6],
    ids=["lenet5", "conv_bn_relu6"],
)
def test_no_old_activation_is_left(build, activation, tmp_path):
    """Trap: ReLU6 layers behind a batch norm, activations within a convolution."""
    model, activations = build()
    swapped = swap_activations(model, activation)
    images = keras.random.normal((1, *model.input_shape[1:]), seed=0)
    assert swapped(images).shape == (1, model.output_shape[-1])
    kinds = [type(layer).__name__ for layer in swapped.layers]
    inner = {getattr(la, "activation", None) for la in swapped.layers[:-1]}
    assert inner <= {
        None,
        keras.activations.linear,
        keras.activations.get(
            activation if activation in ("sigmoid", "tanh") else "linear"
        ),
    }
    relus = [la for la in swapped.layers if isinstance(la, layers.ReLU)]
    assert bool(relus) == (activation == "relu")
    assert all(la.max_value is None for la in relus)
    if activation == "maxout":
        assert kinds.count("Maxout") == activations
        assert swapped.count_params() > 1.4 * model.count_params()
    else:
        assert swapped.count_params() == model.count_params()
    swapped.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), swapped(images))


def test_gates_stay():
    """Trap: the gates of squeeze-and-excitation are no hidden activations."""
    model = mobilenet_v3_small((32, 32, 3), 5)
    swapped = swap_activations(model, "tanh")
    names = [
        getattr(getattr(la, "activation", None), "__name__", "")
        for la in swapped.layers
    ]
    assert names.count("hard_sigmoid") == 9 and "hard_silu" not in names


def test_a_sigmoid_that_multiplies_stays():
    images = keras.Input((4, 4, 2))
    x = layers.Conv2D(2, 1, activation="relu", name="conv")(images)
    gate = layers.Conv2D(2, 1, activation="sigmoid", name="gate")(x)
    model = keras.Model(images, layers.Multiply()([x, gate]))
    swapped = swap_activations(model, "tanh")
    assert swapped.get_layer("gate").activation is keras.activations.sigmoid
    assert swapped.get_layer("conv_tanh")


def test_errors():
    with pytest.raises(ValueError, match="no activation 'swish'"):
        swap_activations(mlp(), "swish")
    with pytest.raises(ValueError, match="mlp has no hidden activation to replace"):
        swap_activations(mlp(hidden=()), "tanh")
    images = keras.Input((4, 4, 2))
    x = layers.ReLU(name="act")(layers.Add()([images, layers.Conv2D(2, 1)(images)]))
    with pytest.raises(ValueError, match="no maxout in place of 'act'"):
        swap_activations(keras.Model(images, layers.Flatten()(x)), "maxout")
