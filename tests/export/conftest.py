"""A classifier small enough to train in every session, and good enough to compare."""

from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_digits

from kcv.export import convert


class TinyClassifier(NamedTuple):
    model: keras.Model  # (n, 16, 16, 1) in [-1, 1] -> probabilities (n, 10)
    calibration: np.ndarray  # (100, 16, 16, 1) float32
    images: np.ndarray  # (397, 16, 16, 1) float32, not trained on
    labels: np.ndarray  # (397,)


def digits():
    """The digits of scikit-learn, each pixel doubled: images in [-1, 1], labels."""
    data = load_digits()
    pixels = np.round(data.images * 255 / 16).repeat(2, axis=1).repeat(2, axis=2)
    return (pixels[..., None] / 127.5 - 1).astype(np.float32), data.target


def tiny_model():
    images = keras.Input((16, 16, 1), name="images")
    x = _conv_bn_relu6(images, layers.Conv2D(16, 3, 2, **_CONV, name="stem"))
    for i, (filters, strides) in enumerate([(32, 1), (64, 2)], start=1):
        depthwise = f"block{i}_depthwise"
        x = _conv_bn_relu6(
            x, layers.DepthwiseConv2D(3, strides, **_CONV, name=depthwise)
        )
        pointwise = f"block{i}_pointwise"
        x = _conv_bn_relu6(x, layers.Conv2D(filters, 1, **_CONV, name=pointwise))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(10, activation="softmax", name="predictions")(x)
    return keras.Model(images, x, name="tiny")


_CONV = {"padding": "same", "use_bias": False}


def _conv_bn_relu6(x, conv):
    x = layers.BatchNormalization(momentum=0.9, name=f"{conv.name}_bn")(conv(x))
    return layers.ReLU(6.0, name=f"{conv.name}_relu6")(x)


@pytest.fixture(scope="session")
def tiny_classifier():
    """Trained in three seconds to an accuracy above 0.9; leave its weights alone."""
    keras.utils.set_random_seed(0)
    images, labels = digits()
    model, train = tiny_model(), slice(0, 1400)
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, 8 * 22)
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(schedule), loss, jit_compile=False)
    model.fit(images[train], labels[train], batch_size=64, epochs=8, verbose=0)
    return TinyClassifier(model, images[:100], images[1400:], labels[1400:])


@pytest.fixture(scope="session")
def tiny_files(tiny_classifier, tmp_path_factory):
    """The float32 and the int8 file of the classifier: {mode: report}."""
    folder = tmp_path_factory.mktemp("tiny_files")
    return {
        mode: convert(
            tiny_classifier.model,
            folder / f"{mode}.tflite",
            quantize=mode,
            calibration=tiny_classifier.calibration,
            evaluate=lambda predict: accuracy(predict, tiny_classifier),
            labels=[f"digit {i}" for i in range(10)],
            hashes={"data": "d1"},
            extra={"decoding": {"threshold": 0.5}},
        )
        for mode in ("float32", "int8")
    }


def accuracy(predict, tiny):
    probabilities = predict(tiny.images)["probabilities"]
    return np.mean(np.argmax(probabilities, -1) == tiny.labels)
