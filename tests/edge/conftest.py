from typing import NamedTuple

import numpy as np
import pytest
import tiny_tflite


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """{"float32": path, "uint8": path, "int8": path} of a model without TensorFlow."""
    folder = tmp_path_factory.mktemp("tiny")
    return {
        dtype: tiny_tflite.write(folder / f"{dtype}.tflite", dtype)
        for dtype in ("float32", "uint8", "int8")
    }


class Exported(NamedTuple):
    """Files of one trained model and what Keras says.

    Args:
        files: name -> path.
        pixels: uint8 (n, 32, 32, 3), real digits the model was not trained on.
        labels: (n,) of them.
        probabilities: Keras's, float32 (n, 10).
    """

    files: dict
    pixels: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A small network trained on scikit-learn's digits and exported in every way."""
    import keras
    from PIL import Image
    from sklearn.datasets import load_digits

    from kcv import export

    digits = load_digits()
    pixels = [
        np.asarray(Image.fromarray(np.uint8(image * 15.9)).resize((32, 32)))
        for image in digits.images
    ]
    pixels = np.repeat(np.stack(pixels)[..., None], 3, axis=-1)
    images = pixels.astype("float32") / 127.5 - 1
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3), name="images")
    x = inputs
    for filters in (16, 32):
        x = keras.layers.Conv2D(filters, 3, strides=2, activation="relu")(x)
    x = keras.layers.Flatten()(x)
    outputs = keras.layers.Dense(10, activation="softmax", name="predictions")(x)
    model = keras.Model(inputs, outputs, name="digits_cnn")
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(3e-3), loss, jit_compile=False)
    model.fit(images[:1500], digits.target[:1500], batch_size=64, epochs=5, verbose=0)
    folder = tmp_path_factory.mktemp("exported")
    kinds = {
        "float32": {},
        "float16": {"quantize": "float16"},
        "dynamic": {"quantize": "dynamic"},
        "uint8": {"quantize": "int8", "io": "uint8"},
        "int8": {"quantize": "int8", "io": "int8"},
        "int8_float": {"quantize": "int8", "io": "float32"},
        "int16x8": {"quantize": "int16x8"},
    }
    files = {name: folder / f"{name}.tflite" for name in kinds}
    for name, options in kinds.items():
        export.convert(
            model,
            files[name],
            calibration=images[:200],
            labels=[f"digit {k}" for k in range(10)],
            **options,
        )
    held_out = slice(1500, None)
    return Exported(
        files,
        pixels[held_out],
        digits.target[held_out],
        model.predict(images[held_out], verbose=0),
    )
