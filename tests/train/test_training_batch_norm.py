"""Batch norm in training: fused it must equal the layer that Keras computes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcv.train.batch_norm import training_batch_norm

RNG = np.random.default_rng(0)


def model_with(**options):
    inputs = keras.Input((5, 4, 6))
    layer = keras.layers.BatchNormalization(momentum=0.9, **options)
    model = keras.Model(inputs, layer(inputs))
    weights = np.random.default_rng(1)
    model.set_weights([weights.uniform(0.5, 2, w.shape) for w in model.get_weights()])
    return model, layer


def step(model, images, upstream):
    """Outputs, gradients of images and weights, and the moving statistics after it."""
    images = tf.constant(images)

    @tf.function
    def run(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = model(images, training=True)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * upstream)
        return outputs, tape.gradient(loss, [images, *model.trainable_variables])

    outputs, gradients = run(images)
    return [outputs, *gradients, *model.non_trainable_variables]


@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize(
    "options", [{}, {"scale": False}, {"center": False}, {"epsilon": 0.1}]
)
def test_fused_equals_keras(options, rows):
    images = RNG.normal(3, 2, (rows, 5, 4, 6)).astype("float32")
    upstream = RNG.normal(size=images.shape).astype("float32")
    expected = step(model_with(**options)[0], images, upstream)
    model, layer = model_with(**options)
    with training_batch_norm(model, tf.distribute.get_strategy()):
        assert "call" in vars(layer)
        found = step(model, images, upstream)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4)


def test_one_pixel_has_no_variance():
    inputs = keras.Input((1, 1, 3))
    model = keras.Model(inputs, keras.layers.BatchNormalization(momentum=0.5)(inputs))
    with training_batch_norm(model, tf.distribute.get_strategy()):
        outputs = model(np.full((1, 1, 1, 3), 4, "float32"), training=True)
    np.testing.assert_allclose(outputs, np.zeros((1, 1, 1, 3)), atol=1e-6)
    mean, variance = (np.asarray(v) for v in model.non_trainable_variables)
    np.testing.assert_allclose(mean, [2, 2, 2])
    np.testing.assert_allclose(variance, [0.5, 0.5, 0.5])


def test_half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        images = RNG.normal(1, 2, (6, 5, 4, 6)).astype("float16")
        upstream = RNG.normal(size=images.shape).astype("float32")
        expected = step(model_with()[0], images, upstream)
        model, _ = model_with()
        with training_batch_norm(model, tf.distribute.get_strategy()):
            found = step(model, images, upstream)
    finally:
        keras.config.set_dtype_policy("float32")
    assert found[0].dtype == expected[0].dtype == tf.float16
    for ours, theirs in zip(found, expected):
        np.testing.assert_allclose(ours, theirs, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("frozen", [True, False])
def test_the_layer_is_as_before_at_the_end(frozen):
    model, layer = model_with()
    layer.trainable = not frozen
    images = RNG.normal(size=(3, 5, 4, 6)).astype("float32")
    expected = model(images, training=False)
    with (
        pytest.raises(KeyError),
        training_batch_norm(model, tf.distribute.get_strategy()),
    ):
        if frozen:  # a frozen layer uses the moving statistics
            np.testing.assert_array_equal(model(images, training=True), expected)
        np.testing.assert_array_equal(model(images, training=False), expected)
        raise KeyError
    assert "call" not in vars(layer)
    assert not layer.synchronized
    keras.models.clone_model(model)


def test_other_layers_and_axes_stay():
    inputs = keras.Input((5, 6))
    vectors = keras.layers.BatchNormalization()
    pictures = keras.layers.BatchNormalization(axis=1)
    outputs = pictures(keras.layers.Reshape((5, 6, 1))(vectors(inputs)))
    model = keras.Model(inputs, outputs)
    with training_batch_norm(model, tf.distribute.get_strategy()):
        assert "call" not in vars(vectors)
        assert "call" not in vars(pictures)
