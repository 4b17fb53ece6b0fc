import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from keras import layers

from kcv import zoo
from kcv.train import loop, optimizers, schedules
from kcv.train.classifier import classification_losses
from kcv.train.grouped_convolution import training_grouped_convolutions

IMAGES = np.random.default_rng(0).normal(size=(2, 9, 8, 6)).astype("float32")


def _step(model):
    with tf.GradientTape() as tape:
        outputs = model(IMAGES, training=True)
        value = tf.reduce_sum(outputs**2)
    return [outputs, *tape.gradient(value, model.trainable_variables)]


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize(
    "options",
    [
        {"groups": 2, "padding": "same"},
        {"groups": 3, "strides": 2, "use_bias": False},
        {"groups": 6, "dilation_rate": 2, "padding": "same"},
    ],
    ids=str,
)
def test_equals_the_stock_layer(library, options):
    images = library.Input((9, 8, 6))
    layer = library.layers.Conv2D(12, 3, activation="relu", **options)
    model = library.Model(images, layer(images))
    expected = _step(model)
    with training_grouped_convolutions(model):
        operations = tf.function(model).get_concrete_function(IMAGES).graph
        kinds = {operation.type for operation in operations.get_operations()}
        found = _step(model)
    assert "Conv2D" in kinds and not any("Call" in kind for kind in kinds)
    for ours, stock in zip(found, expected):
        np.testing.assert_allclose(ours, stock, rtol=1e-4, atol=1e-4)
    again = _step(model)
    np.testing.assert_array_equal(again[0], expected[0])


def test_other_layers_stay_as_they_are():
    images = keras.Input((9, 8, 6))
    model = keras.Model(images, layers.DepthwiseConv2D(3)(layers.Conv2D(6, 1)(images)))
    with training_grouped_convolutions(model):
        assert all("convolution_op" not in vars(layer) for layer in model.layers)


@pytest.mark.slow
def test_two_towers_train(tmp_path):
    """Trap: with stock layers TensorFlow 2.21 ends by SIGABRT in the first step."""
    images = np.random.default_rng(0).normal(size=(32, 96, 96, 3)).astype("float32")
    batch = {"images": images, "labels": np.arange(32, dtype="int32") % 10}
    history = loop.train(
        zoo.build("alexnet_025", input_shape=(96, 96, 3), classes=10),
        classification_losses(),
        optimizers.make_optimizer("sgd", 0.01),
        lambda *position: tf.data.Dataset.from_tensors(batch),
        steps_per_epoch=1,
        epochs=1,
        checkpoint_dir=tmp_path,
        schedule=schedules.make_schedule("constant", 0.01, 1),
    )
    assert 0 < history[0]["loss"] < 20
