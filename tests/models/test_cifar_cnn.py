import keras
import numpy as np
import pytest

from kcv.models.classification.cifar_cnn import cifar_cnn, cifar_cnn_features


def test_maps():
    maps = cifar_cnn_features(keras.Input((32, 32, 3)))
    assert {k: x.shape[1:] for k, x in maps.items()} == {
        "C1": (15, 15, 32),
        "C2": (6, 6, 64),
    }


def test_equals_the_example_written_out():
    """Oracle: the network as the example has it, line by line."""
    la = keras.layers
    example = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            la.Conv2D(32, 3, padding="same"), la.Activation("relu"),
            la.Conv2D(32, 3), la.Activation("relu"),
            la.MaxPooling2D(2), la.Dropout(0.25),
            la.Conv2D(64, 3, padding="same"), la.Activation("relu"),
            la.Conv2D(64, 3), la.Activation("relu"),
            la.MaxPooling2D(2), la.Dropout(0.25),
            la.Flatten(), la.Dense(512), la.Activation("relu"), la.Dropout(0.5),
            la.Dense(10), la.Activation("softmax"),
        ]
    )  # fmt: skip
    model = cifar_cnn()
    model.set_weights(example.get_weights())
    images = np.random.default_rng(0).uniform(0, 1, (4, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(model(images), example(images), atol=1e-6)
    dropped = [[x.rate for x in m.layers if isinstance(x, la.Dropout)]
               for m in (model, example)]  # fmt: skip
    assert dropped[0] == dropped[1]


def test_minimum_is_the_smallest_that_builds():
    cifar_cnn((10, 10, 3))
    with pytest.raises(ValueError, match="at least 10 pixels"):
        cifar_cnn((9, 10, 3))
