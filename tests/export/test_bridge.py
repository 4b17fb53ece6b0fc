"""The bridge to tf_keras: equal outputs, nothing lost, weights home again."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from keras import layers, ops

from kcv.export import bridge, twins

IMAGE = (8, 7, 4)


def randomise(model, seed=0):
    """Random weights, so that swapped or default ones cannot pass for equal."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "variance" in weight.path:
            weight.assign(rng.uniform(0.5, 2.0, weight.shape))
        elif weight.name != "count":
            weight.assign(rng.normal(0, 0.5, weight.shape))
    return model


def inputs_of(model, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 2, (2, *x.shape[1:])).astype("float32") for x in model.inputs]


def outputs(model, arrays, training=False):
    arrays = arrays[0] if len(arrays) == 1 else arrays
    return [np.asarray(x) for x in keras.tree.flatten(model(arrays, training=training))]


def assert_bridges(model, atol=2e-5):
    """Equal outputs now, and unequal ones after any weight has moved."""
    randomise(model)
    arrays = inputs_of(model)
    twin = bridge.to_tf_keras(model)
    ours, theirs = outputs(model, arrays), outputs(twin, arrays)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert a.shape == b.shape and np.isfinite(a).all()
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=atol)
    assert all(np.std(a) > 1e-3 for a in ours)
    for weight in twin.weights:
        # By a factor: a variance must stay positive.
        weight.assign(weight * tf.random.uniform(weight.shape, 0.5, 1.5, seed=3))
    if twin.weights:
        moved = outputs(twin, arrays)
        assert any(np.abs(a - b).max() > 1e-2 for a, b in zip(ours, moved))
    return twin


def chain(*stack, shape=IMAGE):
    images = x = keras.Input(shape, name="images")
    for layer in stack:
        x = layer(x)
    return keras.Model(images, x)


IMAGE_LAYERS = {
    "conv_grouped": lambda: layers.Conv2D(8, 3, padding="same", groups=2),
    "conv_dilated_relu": lambda: layers.Conv2D(
        5, 3, dilation_rate=2, activation="relu"
    ),
    "conv_strides": lambda: layers.Conv2D(5, (3, 2), (2, 1), "same", use_bias=False),
    "depthwise": lambda: layers.DepthwiseConv2D(3, 2, "same", depth_multiplier=2),
    "separable": lambda: layers.SeparableConv2D(7, 3, depth_multiplier=2),
    "transpose": lambda: layers.Conv2DTranspose(5, 3, 2, "same"),
    "dense": lambda: layers.Dense(5, activation="tanh"),
    "batch_norm": lambda: layers.BatchNormalization(epsilon=0.1, synchronized=True),
    "batch_norm_bare": lambda: layers.BatchNormalization(scale=False, center=False),
    "layer_norm": lambda: layers.LayerNormalization(),
    "group_norm": lambda: layers.GroupNormalization(2),
    "unit_norm": lambda: layers.UnitNormalization(),
    "max_pool": lambda: layers.MaxPooling2D(3, 2, "same"),
    "average_pool": lambda: layers.AveragePooling2D((2, 3), 2, "same"),
    "global_average": lambda: layers.GlobalAveragePooling2D(),
    "global_average_keepdims": lambda: layers.GlobalAveragePooling2D(keepdims=True),
    "global_max_keepdims": lambda: layers.GlobalMaxPooling2D(keepdims=True),
    "upsample": lambda: layers.UpSampling2D((2, 3), interpolation="bilinear"),
    "resizing": lambda: layers.Resizing(5, 9),
    "zero_padding": lambda: layers.ZeroPadding2D(((0, 1), (2, 3))),
    "cropping": lambda: layers.Cropping2D(((0, 1), (2, 1))),
    "relu": lambda: layers.ReLU(4.0, negative_slope=0.1, threshold=0.5),
    "leaky_relu": lambda: layers.LeakyReLU(negative_slope=0.07),
    "prelu": lambda: layers.PReLU(shared_axes=[1, 2]),
    "elu": lambda: layers.ELU(0.4),
    "softmax": lambda: layers.Softmax(axis=1),
    "flatten": lambda: layers.Flatten(),
    "reshape": lambda: layers.Reshape((-1, 10)),
    "permute": lambda: layers.Permute((3, 1, 2)),
    "identity": lambda: layers.Identity(),
    "dropout": lambda: layers.Dropout(0.5, seed=1),
    "spatial_dropout": lambda: layers.SpatialDropout2D(0.5),
    "gaussian_noise": lambda: layers.GaussianNoise(0.5),
    "rescaling": lambda: layers.Rescaling(1 / 3, offset=-0.5),
    "rescaling_channels": lambda: layers.Rescaling([1, 2, 3, 4], [0, 1, 2, 3]),
    "normalization": lambda: layers.Normalization(mean=[1, 2, 3, 4], variance=range(4)),
    "normalization_inverse": lambda: layers.Normalization(
        mean=0.5, variance=4.0, invert=True
    ),
}
SEQUENCE_LAYERS = {
    "conv1d": lambda: layers.Conv1D(5, 3, padding="causal", dilation_rate=2),
    "conv1d_transpose": lambda: layers.Conv1DTranspose(5, 3, 2),
    "depthwise1d": lambda: layers.DepthwiseConv1D(3),
    "separable1d": lambda: layers.SeparableConv1D(5, 3),
    "lstm": lambda: layers.LSTM(3, return_sequences=True),
    "gru": lambda: layers.GRU(3),
    "simple_rnn": lambda: layers.SimpleRNN(3),
    "bidirectional": lambda: layers.Bidirectional(
        layers.GRU(3, return_sequences=True), merge_mode="sum"
    ),
    "time_distributed": lambda: layers.TimeDistributed(layers.Dense(3)),
    "time_distributed_lstm": lambda: layers.Bidirectional(layers.LSTM(3)),
    "max_pool1d": lambda: layers.MaxPooling1D(2),
    "global_average1d": lambda: layers.GlobalAveragePooling1D(),
    "upsample1d": lambda: layers.UpSampling1D(2),
    "zero_padding1d": lambda: layers.ZeroPadding1D(2),
}
VOLUME_LAYERS = {
    "conv3d": lambda: layers.Conv3D(3, 2),
    "conv3d_transpose": lambda: layers.Conv3DTranspose(3, 2, 2),
    "average_pool3d": lambda: layers.AveragePooling3D(2),
    "conv_lstm": lambda: layers.ConvLSTM2D(2, 3),
    "time_distributed_conv": lambda: layers.TimeDistributed(layers.Conv2D(2, 3)),
}


@pytest.mark.parametrize("name", IMAGE_LAYERS)
def test_an_image_layer_has_a_twin(name):
    assert_bridges(chain(layers.Conv2D(4, 3), IMAGE_LAYERS[name]()))


@pytest.mark.parametrize("name", SEQUENCE_LAYERS)
def test_a_sequence_layer_has_a_twin(name):
    assert_bridges(chain(layers.Dense(4), SEQUENCE_LAYERS[name](), shape=(9, 4)))


@pytest.mark.parametrize("name", VOLUME_LAYERS)
def test_a_volume_layer_has_a_twin(name):
    model = chain(layers.Dense(2), VOLUME_LAYERS[name](), shape=(4, 6, 5, 2))
    assert_bridges(model)


@pytest.mark.parametrize("activation", [*twins.ACTIVATIONS, "swish", "hard_swish"])
def test_an_activation_is_the_same_fused_and_alone(activation):
    assert_bridges(chain(layers.Dense(3, activation=activation), shape=(2, 2, 2)))
    alone = layers.Activation(activation)
    assert_bridges(chain(layers.Dense(3), alone, shape=(2, 2, 2)))


def test_hard_sigmoid_is_keras_3s_and_not_tf_keras_own():
    x = tf.linspace(-4.0, 4.0, 33)
    ours = np.asarray(twins.hard_sigmoid(x))
    np.testing.assert_allclose(ours, keras.activations.hard_sigmoid(x), atol=1e-6)
    assert np.abs(ours - tf_keras.activations.hard_sigmoid(x)).max() > 0.01


@pytest.mark.parametrize(
    "merge",
    ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"],
)
def test_merging_layers(merge):
    images = keras.Input(IMAGE)
    a, b = layers.Conv2D(4, 1)(images), layers.Conv2D(4, 3, padding="same")(images)
    assert_bridges(keras.Model(images, getattr(layers, merge)()([a, b])))


@pytest.mark.parametrize(
    "operation",
    [
        lambda a, b: a + b,
        lambda a, b: a * b,
        lambda a, b: a - b,
        lambda a, b: ops.maximum(a, b),
        lambda a, b: a + 3.0,
        lambda a, b: 3.0 - a,
        lambda a, b: a - 3.0,
        lambda a, b: a * (1.0 / 6.0),
        lambda a, b: a / 127.5,
        lambda a, b: a * np.arange(1.0, 5.0, dtype="float32"),
        lambda a, b: ops.relu(a),
        lambda a, b: ops.relu6(a + 3.0),
        lambda a, b: ops.leaky_relu(a, 0.3),
        lambda a, b: ops.hard_silu(a),
        lambda a, b: ops.hard_sigmoid(a),
        lambda a, b: ops.sigmoid(a),
        lambda a, b: ops.tanh(a),
        lambda a, b: ops.silu(a),
        lambda a, b: ops.softmax(a, axis=-1),
        lambda a, b: ops.concatenate([a, b], axis=2),
        lambda a, b: ops.mean(a, axis=(1, 2), keepdims=True),
        lambda a, b: ops.mean(a, axis=[-3, -2]),
        lambda a, b: ops.reshape(a, (-1, 14, 16)),
    ],
)
def test_operations_in_the_graph(operation):
    images = keras.Input(IMAGE)
    a, b = layers.Conv2D(4, 1)(images), layers.Conv2D(4, 3, padding="same")(images)
    model = keras.Model(images, {"y": operation(a, b), "b": b})
    assert_bridges(model)


def test_multi_head_attention():
    a, b = keras.Input((5, 4)), keras.Input((7, 4))
    y = layers.MultiHeadAttention(2, 3, value_dim=5)(a, b)
    assert_bridges(keras.Model([a, b], y))


def test_embedding():
    tokens = keras.Input((5,), dtype="int32")
    model = randomise(keras.Model(tokens, layers.Embedding(7, 3)(tokens)))
    x = np.arange(10).reshape(2, 5) % 7
    np.testing.assert_array_equal(bridge.to_tf_keras(model)(x), model(x))


def shared_and_nested():
    """A sub-model called twice, a layer called twice, two inputs, dict outputs."""
    inner_input = keras.Input(IMAGE)
    x = layers.Conv2D(4, 3, padding="same", name="conv")(inner_input)
    x = layers.BatchNormalization(name="bn")(x)
    inner = keras.Model(inner_input, layers.ReLU(6.0, name="relu6")(x), name="tower")
    left, right = keras.Input(IMAGE, name="left"), keras.Input(IMAGE, name="right")
    conv = layers.Conv2D(4, 1, name="conv")  # the same name as inside the tower
    a, b = conv(inner(left)), conv(inner(right))
    outputs = {"sum": layers.Add()([a, b]), "maps": [a, layers.ReLU(name="relu")(b)]}
    return keras.Model({"left": left, "right": right}, outputs)


def test_sub_models_shared_layers_and_structures():
    model = randomise(shared_and_nested())
    rng = np.random.default_rng(2)
    x = {name: rng.normal(size=(2, *IMAGE)) for name in ("left", "right")}
    twin = bridge.to_tf_keras(model)
    ours, theirs = model(x), twin(x)
    assert set(theirs) == {"sum", "maps"}
    keras.tree.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), ours, theirs
    )
    assert len(twin.weights) == len(model.weights) == 8
    swapped = twin({"left": x["right"], "right": x["left"]})
    assert np.abs(swapped["maps"][0] - ours["maps"][0]).max() > 0.1


def test_a_built_sequential_with_a_sequential_inside():
    inner = keras.Sequential([layers.Conv2D(3, 3), layers.ReLU()])
    model = keras.Sequential([keras.Input(IMAGE), inner, layers.Flatten()])
    assert_bridges(model)


def test_training_behaviour_comes_along():
    model = randomise(
        chain(layers.Conv2D(4, 3), layers.BatchNormalization(momentum=0.7))
    )
    model.layers[1].trainable = False
    twin = bridge.to_tf_keras(model)
    assert [w.name for w in twin.trainable_weights] == [
        f"{model.layers[2].name}/gamma:0",
        f"{model.layers[2].name}/beta:0",
    ]
    x = inputs_of(model)
    np.testing.assert_allclose(
        outputs(twin, x, training=True)[0],
        outputs(model, x, training=True)[0],
        atol=1e-4,
    )
    np.testing.assert_allclose(
        twin.layers[2].moving_mean, model.layers[2].moving_mean, atol=1e-5
    )


def test_regularizers_and_constraints_come_along():
    model = chain(
        layers.Conv2D(
            4, 3, kernel_regularizer="l2", bias_constraint=keras.constraints.NonNeg()
        )
    )
    conv = bridge.to_tf_keras(model).layers[1]
    assert isinstance(conv.kernel_regularizer, tf_keras.regularizers.L2)
    assert conv.kernel_regularizer.l2 == model.layers[1].kernel_regularizer.l2
    assert isinstance(conv.bias_constraint, tf_keras.constraints.NonNeg)


def test_a_twin_can_be_saved_and_loaded(tmp_path):
    model = randomise(
        chain(layers.Rescaling([1, 2, 3, 4]), layers.Conv2D(2, 3, activation="relu6"))
    )
    twin = bridge.to_tf_keras(model)
    twin.save(tmp_path / "twin.keras")
    loaded = tf_keras.models.load_model(tmp_path / "twin.keras")
    x = inputs_of(model)
    np.testing.assert_allclose(outputs(loaded, x)[0], outputs(model, x)[0], atol=1e-5)


@keras.saving.register_keras_serializable("test_bridge")
class Halves(keras.regularizers.Regularizer):
    """A regularizer of a user's own."""

    def get_config(self):
        return {}


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: layers.Resizing(4, 4, antialias=True), "'here'.*antialias=True"),
        (
            lambda: layers.Resizing(4, 4, pad_to_aspect_ratio=True),
            "'here'.*pad_to_aspect_ratio=True",
        ),
        (lambda: layers.Conv2D(2, 3, activation="celu"), "'here'.*celu"),
        (lambda: layers.Activation("log_softmax"), "'here'.*log_softmax"),
        (
            lambda: layers.Conv2D(2, 3, kernel_regularizer=Halves()),
            "'here'.*kernel_regularizer 'Halves'",
        ),
    ],
)
def test_a_setting_that_would_be_lost_is_an_error(layer, message):
    layer = layer()
    layer.name = "here"
    with pytest.raises(ValueError, match=message):
        bridge.to_tf_keras(chain(layer))


@keras.saving.register_keras_serializable("test_bridge")
class Doubled(layers.Layer):
    """A layer of a user's own."""

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(), name="factor")

    def call(self, x):
        return 2 * self.factor * x


class TfDoubled(tf_keras.layers.Layer):
    """Its twin."""

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(), name="factor")

    def call(self, x):
        return 2 * self.factor * x


def test_an_unknown_layer_is_named_with_the_remedy():
    with pytest.raises(ValueError, match=r"'mine' \(.*Doubled\).*twins="):
        bridge.to_tf_keras(chain(Doubled(name="mine")))
    with pytest.raises(ValueError, match="RandomFlip.*twins="):
        bridge.to_tf_keras(chain(layers.RandomFlip()))
    images = keras.Input(IMAGE)
    with pytest.raises(ValueError, match=r"keras.ops Sort\).*keras.layers"):
        bridge.to_tf_keras(keras.Model(images, ops.sort(images)))


def test_a_twin_of_ones_own():
    model = randomise(chain(Doubled(name="mine")))
    twin = bridge.to_tf_keras(
        model, {Doubled: lambda layer, name: TfDoubled(name=name)}
    )
    x = inputs_of(model)
    np.testing.assert_allclose(outputs(twin, x)[0], outputs(model, x)[0], rtol=1e-6)
    wrong = {Doubled: lambda layer, name: tf_keras.layers.Dense(4, name=name)}
    with pytest.raises(ValueError, match="'mine'.*factor.*bias.*kernel"):
        bridge.to_tf_keras(model, wrong)


def test_a_shape_mismatch_is_named():
    model = chain(layers.Dense(3, name="mine"))
    twins = {layers.Dense: lambda layer, name: tf_keras.layers.Dense(4, name=name)}
    with pytest.raises(ValueError, match=r"'mine': kernel is \(4, 3\).*\(4, 4\)"):
        bridge.to_tf_keras(model, twins)


def test_a_model_without_a_graph_is_refused():
    class Subclassed(keras.Model):
        pass

    with pytest.raises(ValueError, match="no graph to walk"):
        bridge.to_tf_keras(Subclassed(name="mine"))
    with pytest.raises(ValueError, match="no graph to walk"):
        bridge.to_tf_keras(keras.Sequential([layers.Dense(2)]))


def test_weights_come_back_into_nested_shared_and_composite_layers():
    sequence = keras.Input((6, 4))
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(sequence)
    x = layers.TimeDistributed(layers.Dense(4))(x)
    x = layers.MultiHeadAttention(2, 2)(x, x)
    for model in (shared_and_nested(), keras.Model(sequence, x)):
        randomise(model)
        twin = bridge.to_tf_keras(model)
        before = [np.asarray(weight) for weight in model.weights]
        for weight in twin.weights:
            weight.assign(weight * 1.5 + 0.1)
        bridge.weights_back(twin, model)
        for weight, old in zip(model.weights, before):
            np.testing.assert_allclose(weight, old * 1.5 + 0.1, rtol=1e-5, atol=1e-6)


def test_weights_back_names_a_layer_that_is_missing():
    twin = bridge.to_tf_keras(chain(layers.Conv2D(4, 3, name="stem")))
    other = chain(layers.Conv2D(4, 3, name="stem"), layers.Dense(3, name="head"))
    with pytest.raises(ValueError, match=r"'head' \(Dense\) is not in the tf_keras"):
        bridge.weights_back(twin, other)


@pytest.mark.slow
@pytest.mark.parametrize(
    "build",
    [
        keras.applications.MobileNet,
        keras.applications.MobileNetV3Small,
    ],
)
def test_keras_applications(build):
    model = build(input_shape=(64, 64, 3), weights=None, classes=10)
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (4, 64, 64, 3)).astype("float32")
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
            layer.gamma.assign(rng.uniform(0.7, 1.3, layer.gamma.shape))
            layer.beta.assign(rng.uniform(-0.5, 0.5, layer.beta.shape))
    model(x, training=True)  # without statistics of its own it answers a constant
    twin = bridge.to_tf_keras(model)
    ours = np.asarray(model(x))
    assert ours.std(axis=0).max() > 1e-3
    np.testing.assert_allclose(twin(x), ours, atol=1e-6, rtol=1e-4)
    for weight in twin.weights:
        weight.assign(weight * rng.uniform(0.7, 1.3, weight.shape))
    assert np.abs(twin(x) - ours).max() > 1e-3
