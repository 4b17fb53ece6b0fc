"""What the tests of the residual nets share: references, and life in a model."""

import math

import keras
import numpy as np

from kcv.models.pixel_mean import MINUS_MEAN


def count(model):
    """(all parameters, trained ones)."""
    trained = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    return model.count_params(), trained


def shapes_only():
    """A scope in which models are built without memory for their weights."""
    return keras.StatelessScope(initialize_variables=False)


def randomize(model, images, seed=0):
    """Random weights, then the statistics of `images`, so that nothing explodes."""
    rng = np.random.default_rng(seed)
    model.set_weights([_random_value(weight, rng) for weight in model.weights])
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(images, training=True)
    for layer, momentum in zip(norms, momenta):
        layer.momentum = momentum


def _random_value(weight, rng):
    kind, shape = weight.path.rsplit("/", 1)[1], weight.shape
    if kind == "gamma":
        return rng.uniform(0.5, 1.5, shape)
    if kind == "moving_variance":
        return np.ones(shape)
    if kind in ("beta", "bias", "moving_mean"):
        return rng.normal(0, 0.5, shape)
    return rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)


def pictures(count, size, seed=1):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (count, *size, 3)).astype("float32")


def assert_close(found, expected):
    """Within 1e-4 of the largest value, and the values differ between images."""
    found, expected = np.asarray(found), np.asarray(expected)
    scale = np.abs(expected).max()
    assert 0.1 < scale < 1e4 and np.ptp(expected, axis=0).max() > 0.1 * scale
    np.testing.assert_allclose(found, expected, atol=1e-4 * scale)


def assert_same_as_applications(model, oracle, size):
    """Logits, because a saturated softmax would hide a difference."""
    randomize(oracle, pictures(8, size))
    assert count(model) == count(oracle)
    model.set_weights(oracle.get_weights())
    images = pictures(2, size, seed=2)
    theirs = images  # as that network wants them
    for layer in model.layers:
        if layer.name == MINUS_MEAN:
            theirs = images + np.array(layer.offset, "float32")
    assert_close(model(images, training=False), oracle(theirs, training=False))


def assert_dilated_equals_strided(features, size, last=False):
    """The maps of stride 8 or 16, every second or fourth pixel of them, are the others.

    `features` is called with images and an output stride. The first pixel of two or
    four is the one, or the last if the strided kernels are padded at the end.
    """
    images = keras.Input((*size, 3))
    strided = keras.Model(images, features(images, 32))
    randomize(strided, pictures(8, size))
    batch = pictures(2, size, seed=2)
    expected = strided(batch, training=False)
    for output_stride in (8, 16):
        images = keras.Input((*size, 3))
        model = keras.Model(images, features(images, output_stride))
        model.set_weights(strided.get_weights())
        found = model(batch, training=False)
        assert found.keys() == expected.keys() == {"C1", "C2", "C3", "C4", "C5"}
        for level, maps in expected.items():
            stride = 2 ** int(level[1])
            step = max(1, stride // output_stride)
            sides = tuple(-(-side // min(stride, output_stride)) for side in size)
            assert found[level].shape[1:3] == sides
            first = step - 1 if last else 0
            assert_close(found[level][:, first::step, first::step], maps)


def assert_lives(model, path):
    """Saved and loaded it says the same; one step moves every weight that it can move.

    A bias before a batch normalisation has no gradient: the mean takes it away.
    """
    images = pictures(8, model.input_shape[1:3])
    randomize(model, images)
    model.save(path / "model.keras")
    again = keras.models.load_model(path / "model.keras")
    expected = model(images, training=False)  # `predict` would compile for seconds
    np.testing.assert_array_equal(again(images, training=False), expected)
    before = again.get_weights()
    again.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    again.train_on_batch(images, np.arange(8) % model.output_shape[-1])
    for weight, old in zip(again.weights, before):
        new = weight.numpy()
        assert np.all(np.isfinite(new))
        if not weight.path.endswith("/bias") or "predictions" in weight.path:
            assert np.any(new != old), f"{weight.path} did not move"


def convolve(x, kernel, strides=1):
    """Slow and obvious: the kernel's centre on pixels 0, s, 2 s, ..., zeros around."""
    half, (rows, columns) = kernel.shape[0] // 2, x.shape[1:3]
    padded = np.pad(x, ((0, 0), (half, half), (half, half), (0, 0)))
    return sum(
        padded[:, dy : dy + rows, dx : dx + columns][:, ::strides, ::strides]
        @ kernel[dy, dx]
        for dy in range(kernel.shape[0])
        for dx in range(kernel.shape[1])
    )


class Reference:
    """Runs layers of a model by name in NumPy, in double precision."""

    def __init__(self, model):
        self.model = model

    def _weights(self, name):
        return [w.astype("float64") for w in self.model.get_layer(name).get_weights()]

    def conv(self, x, name, strides=1):
        """A convolution without bias."""
        return convolve(x, self._weights(name)[0], strides)

    def bn(self, x, name):
        """The batch normalisation `name` + "_bn", with its moving statistics."""
        layer = self.model.get_layer(f"{name}_bn")
        gamma, beta, mean, variance = self._weights(layer.name)
        return (x - mean) / np.sqrt(variance + layer.epsilon) * gamma + beta

    def dense(self, x, name="predictions"):
        """The mean of the map, then the dense layer."""
        kernel, bias = self._weights(name)
        return x.mean((1, 2)) @ kernel + bias


def relu(x):
    return np.maximum(x, 0)


def export(model, path, modes=("float32", "int8")):
    """Through the gate; it raises where the file is not what Keras says.

    With random weights, int8 may answer anything: what it costs is measured of trained
    models. Here it has to have builtin operators in int8 alone.
    """
    from kcv.export import convert

    size = model.input_shape[1:3]
    randomize(model, pictures(16, size))
    for mode in modes:
        convert(
            model, path / f"{mode}.tflite", quantize=mode,
            calibration=pictures(24, size, seed=3),
            bound=math.inf if mode == "int8" else None,
        )  # fmt: skip
