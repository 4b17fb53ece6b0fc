"""Our layers pass the gate: builtin operators alone, equal to Keras; int8 too."""

import keras
import numpy as np
import pytest
from keras import layers

from kcv.export import convert
from kcv.layers.bed_of_nails import BedOfNails
from kcv.layers.border_padding import MODES, BorderPadding
from kcv.layers.contrast_norm import ContrastNorm
from kcv.layers.max_unpooling import MaxPoolingWithPositions, MaxUnpooling
from kcv.layers.maxout import Maxout


def _borders(x):
    for mode in MODES:
        x = BorderPadding(((1, 2), (2, 1)), mode, name=mode)(x)
        x = layers.Conv2D(4, 4, activation="relu", name=f"{mode}_conv")(x)
    return x


def _unpooling(x):
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x, positions = MaxPoolingWithPositions(2)(x)
    x = layers.Conv2D(4, 3, padding="same")(x)
    x = MaxUnpooling(2)(x, positions)
    return BedOfNails(2)(x)


def _maxout(x):
    return Maxout(2)(layers.Conv2D(8, 3)(x))


MODELS = {
    "borders": (_borders, ()),
    "unpooling": (_unpooling, ()),
    "maxout": (_maxout, ()),
    "contrast": (
        lambda x: ContrastNorm(5)(layers.Conv2D(4, 3)(x)),
        ("SQUARE", "SQRT", "RSQRT", "DIV", "MAXIMUM", "MEAN", "SUB", "MUL"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["float32", "int8"])
@pytest.mark.parametrize("name", MODELS)
def test_export(name, mode, tmp_path):
    build, allow_float = MODELS[name]
    keras.utils.set_random_seed(0)
    images = keras.Input((12, 14, 3), name="images")
    x = layers.Flatten()(build(images))
    x = layers.Dense(5, activation="softmax", name="predictions")(x)
    model = keras.Model(images, x, name=name)
    probes = np.random.default_rng(0).uniform(-1, 1, (40, 12, 14, 3)).astype("float32")
    report = convert(
        model,
        tmp_path / "model.tflite",
        quantize=mode,
        calibration=probes,
        allow_float=allow_float,
        allow_constant=True,
    )
    assert report.path.is_file()
