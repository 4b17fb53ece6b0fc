import math

import keras
import numpy as np
import pytest

from kcv.losses.localisation import box_loss, localisation_loss
from kcv.models.classification.localisation import localiser
from kcv.models.classification.mobilenet_v1 import mobilenet_v1

RNG = np.random.default_rng(0)


def pictures(count=4, height=32, width=64):
    return RNG.uniform(-1, 1, (count, height, width, 3)).astype("float32")


def test_parameters():
    """Pencil: MobileNetV1 and a head of 1x1 to 32 maps of 7x7, 128 units, 4 sides."""
    head = (1024 * 32 + 32) + (7 * 7 * 32 * 128 + 128) + (128 * 4 + 4)
    with keras.StatelessScope(initialize_variables=False):
        model = localiser()
    assert model.count_params() == 4_253_864 + head == 4_488_012
    assert model.layers[-1].name == "predictions"


def test_class_head_is_mobilenet():
    """A special case that must equal something known: one body, the same weights."""
    model = localiser((32, 64, 3), 5, alpha=0.25)
    plain = mobilenet_v1((32, 64, 3), 5, alpha=0.25)
    for layer in plain.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    images = pictures()
    outputs = model(images)
    np.testing.assert_allclose(outputs["predictions"], plain(images), atol=1e-6)


def test_boxes_are_pixels_and_start_in_the_middle():
    model = localiser((32, 64, 3), 5, alpha=0.25)
    layer = model.get_layer("box_sides")
    layer.kernel.assign(np.zeros(layer.kernel.shape))
    boxes = np.asarray(model(pictures())["boxes"])
    np.testing.assert_allclose(boxes, [[16, 8, 48, 24]] * 4)


def test_box_loss_by_pencil():
    """Off by 16 of 64 in x1 and by 8 of 32 in y2: two of four squares of 1/4."""
    truth, guess = [[0.0, 0, 64, 32]], [[16.0, 0, 64, 24]]
    loss = box_loss(np.array(truth), np.array(guess), (32, 64))
    np.testing.assert_allclose(loss, [2 / 16 / 4], rtol=1e-6)


def test_joint_loss_by_pencil():
    """-ln 0.5 and 10 times the box loss; where nothing is, nothing counts."""
    probabilities = np.array([[0.5, 0.25, 0.25]] * 2, "float32")
    truth, guess = np.array([[0.0, 0, 64, 32]] * 2), np.array([[16.0, 0, 64, 24]] * 2)
    labels = np.array([0, -1])
    loss = localisation_loss(labels, truth, probabilities, guess, (32, 64))
    np.testing.assert_allclose(loss, [np.log(2) + 10 / 32, 0], rtol=1e-5)
    loss = localisation_loss(labels, truth, probabilities, guess, (32, 64), 0.0)
    np.testing.assert_allclose(loss, [np.log(2), 0], rtol=1e-5)


def squares(count, rng):
    """A bright square on noise; its class is its colour."""
    images = rng.uniform(-0.2, 0.2, (count, 32, 64, 3)).astype("float32")
    labels, boxes = rng.integers(3, size=count), np.zeros((count, 4), "float32")
    for image, label, box in zip(images, labels, boxes):
        side = rng.integers(10, 24)
        x, y = rng.integers(64 - side), rng.integers(32 - side)
        image[y : y + side, x : x + side, label] = 1
        box[:] = x, y, x + side, y + side
    return images, labels, boxes


@pytest.mark.slow
def test_joint_loss_trains_both_heads_and_every_weight():
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    model = localiser((32, 64, 3), 3, alpha=0.25)
    optimizer = keras.optimizers.Adam(4e-3)
    images, labels, boxes = squares(512, rng)
    variables = [w.value for w in model.trainable_weights]

    @tf.function
    def step(images, labels, boxes):
        with tf.GradientTape() as tape:
            out = model(images, training=True)
            loss = keras.ops.mean(
                localisation_loss(
                    labels, boxes, out["predictions"], out["boxes"], (32, 64)
                )
            )
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights))
        return gradients

    for i in range(200):
        part = slice(i % 8 * 64, i % 8 * 64 + 64)
        gradients = step(images[part], labels[part], boxes[part])
        if i == 0:
            for weight, gradient in zip(model.trainable_weights, gradients):
                assert np.abs(np.asarray(gradient)).max() > 0, weight.path
    images, labels, boxes = images[:128], labels[:128], boxes[:128]
    out = model(images, training=True)  # 200 steps are few for moving statistics
    assert np.mean(np.argmax(out["predictions"], axis=1) == labels) > 0.9
    error = np.abs(np.asarray(out["boxes"]) - boxes).mean()
    guess = np.abs(boxes.mean(axis=0) - boxes).mean()
    assert error < 0.6 * guess, (error, guess)


def test_saves_and_loads(tmp_path):
    model = localiser((32, 64, 3), 5, alpha=0.25)
    images = pictures()
    expected = model(images)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "x.weights.h5")
    for again in (
        keras.saving.load_model(tmp_path / "model.keras"),
        localiser((32, 64, 3), 5, alpha=0.25, weights=tmp_path / "x.weights.h5"),
    ):
        outputs = again(images)
        assert outputs.keys() == {"boxes", "predictions"}
        for name, value in outputs.items():
            np.testing.assert_allclose(value, expected[name], atol=1e-5)


def test_too_small_is_refused():
    with pytest.raises(ValueError, match="at least 32 pixels"):
        localiser((31, 32, 3))


@pytest.mark.slow
@pytest.mark.parametrize("quantize", ["float32", "int8"])
def test_exports(quantize, tmp_path):
    from kcv.export import convert

    model = localiser((32, 64, 3), 5, alpha=0.25)
    for layer in model.layers:  # without statistics a fresh network's maps vanish
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(pictures(16), training=True)
    # With random weights, int8 may answer anything; of trained ones it is measured.
    convert(
        model,
        tmp_path / "x.tflite",
        quantize=quantize,
        calibration=pictures(16),
        bound=math.inf if quantize == "int8" else None,
    )
