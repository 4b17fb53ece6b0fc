"""Folding batch normalisation: the same function with fewer layers."""

import keras
import numpy as np
import pytest
from keras import layers

from kcv.export import bridge, fold

IMAGE = (8, 6, 4)


def randomise(model, seed=0):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "variance" in weight.path:
            weight.assign(rng.uniform(0.5, 2.0, weight.shape))
        else:
            weight.assign(rng.normal(0, 0.5, weight.shape))
    return model


def images(shape=IMAGE, seed=1):
    return np.random.default_rng(seed).normal(size=(3, *shape)).astype("float32")


def chain(*stack, shape=IMAGE):
    inputs = x = keras.Input(shape, name="images")
    for layer in stack:
        x = layer(x)
    return randomise(keras.Model(inputs, x))


def batch_norms(model):
    return [x for x in model._flatten_layers() if "batch_norm" in x.name]


def test_by_pencil():
    # kernel 2, bias 3; mean 1, variance 4, gamma 6, beta 5, epsilon 0: the scale is
    # 6 / 2 = 3, so the kernel 6 and the bias 5 + 3 (3 - 1) = 11.
    model = chain(layers.Dense(1), layers.BatchNormalization(epsilon=0.0), shape=(1,))
    model.layers[1].set_weights([np.array([[2.0]]), np.array([3.0])])
    model.layers[2].set_weights([np.array([x]) for x in (6.0, 5.0, 1.0, 4.0)])
    kernel, bias = fold.fold_batch_norm(model).layers[1].get_weights()
    assert (kernel.item(), bias.item()) == (6, 11)


@pytest.mark.parametrize(
    "layer",
    [
        lambda bias: layers.Conv2D(6, 3, use_bias=bias),
        lambda bias: layers.Conv2D(6, 3, padding="same", groups=2, use_bias=bias),
        lambda bias: layers.Conv2D(6, 3, dilation_rate=2, use_bias=bias),
        lambda bias: layers.Conv2D(6, 3, 2, "same", use_bias=bias),
        lambda bias: layers.DepthwiseConv2D(3, depth_multiplier=3, use_bias=bias),
        lambda bias: layers.DepthwiseConv2D(3, dilation_rate=2, use_bias=bias),
        lambda bias: layers.SeparableConv2D(6, 3, depth_multiplier=2, use_bias=bias),
        lambda bias: layers.Conv2DTranspose(6, 3, 2, use_bias=bias),
        lambda bias: layers.Dense(6, use_bias=bias),
    ],
)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
def test_every_foldable_layer(layer, bias, affine):
    model = chain(
        layer(bias),
        layers.BatchNormalization(scale=affine, center=affine, epsilon=0.01),
        layers.ReLU(6.0),
    )
    folded = fold.fold_batch_norm(model)
    assert batch_norms(model) and not batch_norms(folded)
    assert [x.name for x in folded.layers] == [
        x.name for x in model.layers if "batch_norm" not in x.name
    ]
    x = images()
    np.testing.assert_allclose(folded(x), model(x), atol=1e-5, rtol=1e-5)
    model.layers[2].moving_mean.assign_add([1.0] * model.output_shape[-1])
    moved = fold.fold_batch_norm(model)  # the fold reads the statistics
    assert np.abs(moved(x) - folded(x)).max() > 0.1


@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        ((9, 4), lambda: layers.Conv1D(6, 3, padding="causal", use_bias=False)),
        ((9, 4), lambda: layers.Conv1DTranspose(6, 3, 2)),
        ((9, 4), lambda: layers.DepthwiseConv1D(3, depth_multiplier=2)),
        ((9, 4), lambda: layers.SeparableConv1D(6, 3)),
        ((5, 4, 3, 2), lambda: layers.Conv3D(6, 2)),
        ((5, 4, 3, 2), lambda: layers.Conv3DTranspose(6, 2)),
    ],
)
def test_one_and_three_dimensions(shape, layer):
    model = chain(layer(), layers.BatchNormalization(), shape=shape)
    folded = fold.fold_batch_norm(model)
    assert not batch_norms(folded)
    x = images(shape)
    np.testing.assert_allclose(folded(x), model(x), atol=1e-5, rtol=1e-5)


def read_twice():
    inputs = keras.Input(IMAGE)
    x = layers.Conv2D(4, 3)(inputs)
    return keras.Model(inputs, layers.Add()([x, layers.BatchNormalization()(x)]))


def read_by_the_caller():
    inputs = keras.Input(IMAGE)
    x = layers.Conv2D(4, 3)(inputs)
    return keras.Model(inputs, [x, layers.BatchNormalization()(x)])


def shared_convolution():
    inputs = keras.Input(IMAGE)
    conv = layers.Conv2D(4, 3, padding="same")
    x = layers.BatchNormalization()(conv(inputs))
    return keras.Model(inputs, layers.ReLU()(conv(x)))


def shared_batch_norm():
    inputs = keras.Input(IMAGE)
    batch_norm = layers.BatchNormalization()
    x = batch_norm(layers.Conv2D(4, 3, padding="same")(inputs))
    x = batch_norm(layers.Conv2D(4, 3, padding="same")(x))
    return keras.Model(inputs, x)


@pytest.mark.parametrize(
    "build",
    [
        read_twice,
        read_by_the_caller,
        shared_convolution,
        shared_batch_norm,
        lambda: chain(
            layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization()
        ),
        lambda: chain(layers.BatchNormalization(), layers.Conv2D(4, 3)),
        lambda: chain(layers.Conv2D(4, 3), layers.ReLU(), layers.BatchNormalization()),
        lambda: chain(layers.Conv2D(4, 3), layers.BatchNormalization(axis=1)),
    ],
)
def test_what_cannot_fold_is_kept(build):
    model = randomise(build())
    folded = fold.fold_batch_norm(model)
    assert len(batch_norms(folded)) == 1
    x = images()
    for a, b in zip(keras.tree.flatten(folded(x)), keras.tree.flatten(model(x))):
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5)


def test_sub_models_fold_inside_and_stay_shared():
    inner = chain(layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization())
    inputs = keras.Input(IMAGE)
    model = keras.Model(inputs, {"y": layers.ReLU()(inner(inner(inputs)))})
    folded = fold.fold_batch_norm(model)
    assert not batch_norms(folded) and len(folded.weights) == 2
    x = images()
    np.testing.assert_allclose(folded(x)["y"], model(x)["y"], atol=1e-4, rtol=1e-5)


def test_only_some():
    model = chain(
        layers.Conv2D(4, 3, name="a"),
        layers.BatchNormalization(),
        layers.Conv2D(4, 3, name="b"),
        layers.BatchNormalization(),
    )
    folded = fold.fold_batch_norm(
        model, only=lambda layer, batch_norm: layer.name == "b"
    )
    assert len(batch_norms(folded)) == 1 and folded.layers[2] in batch_norms(folded)
    x = images()
    np.testing.assert_allclose(folded(x), model(x), atol=1e-4, rtol=1e-5)


def test_the_original_is_left_alone():
    model = chain(layers.Conv2D(4, 3), layers.BatchNormalization())
    before = model.get_weights()
    for weight in fold.fold_batch_norm(model).weights:
        weight.assign(weight + 1)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.Conv2D(5, 3, use_bias=False),
        lambda: layers.Conv2D(5, 3),
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False),
        lambda: layers.Conv2DTranspose(5, 3, use_bias=False),
        lambda: layers.SeparableConv2D(5, 3, use_bias=False),
    ],
)
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_folded_weights_that_were_trained_come_back(layer, center, scale):
    layer = layer()
    model = chain(layer, layers.BatchNormalization(center=center, scale=scale))
    if scale:  # a dead channel has no inverse
        model.layers[2].gamma.assign([0.0, *[1.5] * (model.output_shape[-1] - 1)])
    trained = bridge.to_tf_keras(randomise(fold.fold_batch_norm(model), seed=7))
    if not (center or layer.use_bias):
        with pytest.raises(ValueError, match="have no bias.*center=True"):
            bridge.weights_back(trained, model)
        return
    bridge.weights_back(trained, model)
    x = images()
    np.testing.assert_allclose(model(x), trained(x), atol=1e-4, rtol=1e-4)
