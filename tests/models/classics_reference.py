"""What the tests of AlexNet, ZFNet and VGG share: slow NumPy layers, and life."""

import keras
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def conv(x, layer, strides=1, padding=0, groups=1):
    """Cross-correlation, plus the bias, then ReLU; padding in pixels at each side."""
    kernel, bias = layer.get_weights()
    height, width, _, filters = kernel.shape
    x = np.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)])
    windows = sliding_window_view(x, (height, width), axis=(1, 2))
    windows = windows[:, ::strides, ::strides]
    parts = [
        np.einsum("bhwcij,ijcf->bhwf", w, k, optimize=True)
        for w, k in zip(
            np.split(windows, groups, axis=3), np.split(kernel, groups, axis=3)
        )
    ]
    return np.maximum(np.concatenate(parts, axis=-1) + bias, 0)


def pool(x, size, padding=(0, 0)):
    """Max pooling at stride 2; padding at the end of height and of width."""
    x = np.pad(x, [(0, 0), (0, padding[0]), (0, padding[1]), (0, 0)])
    return sliding_window_view(x, (size, size), axis=(1, 2))[:, ::2, ::2].max((4, 5))


def norm(x):
    """Section 3.3 of the AlexNet paper."""
    padded = np.pad(x**2, [(0, 0)] * 3 + [(2, 2)])
    sums = sum(padded[..., i : i + x.shape[-1]] for i in range(5))
    return x / (2 + 1e-4 * sums) ** 0.75


def dense(x, model):
    """The three dense layers, up to logits."""
    x = x.reshape(len(x), -1)
    for name in ("fc6", "fc7", "predictions"):
        kernel, bias = model.get_layer(name).get_weights()
        x = x @ kernel + bias
        x = x if name == "predictions" else np.maximum(x, 0)
    return x


def random_biases(model, seed=0):
    """Biases that a test can see; kernels are random already. Returns the model."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name == "bias":
            weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


def random_images(count, *shape, seed=1, scale=1.0):
    """Noise, each image about a colour of its own; (count, *shape), float32.

    To deep layers with random kernels all noise of one mean looks the same.
    """
    rng = np.random.default_rng(seed)
    colours = rng.normal(0, scale, (count, 1, 1, shape[-1]))
    return (colours + rng.normal(0, scale / 2, (count, *shape))).astype("float32")


def check_dilated(features, shape, starts):
    """At strides 16 and 8 every map holds the values of the network without dilation.

    Args:
        features: function (images, output_stride) -> maps.
        shape: (height, width, channels).
        starts: {output stride: {level: where in the larger map its values begin}}.
    """
    images = keras.Input(shape)
    usual = random_biases(keras.Model(images, features(images, 32)))
    batch = random_images(2, *shape)
    expected = usual(batch)
    for output_stride, begin in starts.items():
        dilated = keras.Model(images, features(images, output_stride))
        dilated.set_weights(usual.get_weights())
        maps = dilated(batch)
        assert list(maps) == list(expected)
        for level, few in expected.items():
            step = max(1, 2 ** int(level[1]) // output_stride)
            start = begin.get(level, 0)
            many = np.asarray(maps[level])[:, start::step, start::step]
            many = many[:, : few.shape[1], : few.shape[2]]
            assert np.ptp(few) > 0.1
            np.testing.assert_allclose(many, few, atol=1e-5 * np.abs(few).max())


def check_life(model, path):
    """Saved and loaded it says the same, and every weight has a gradient."""
    images = random_images(8, *model.input_shape[1:])
    model.save(path)
    again = keras.saving.load_model(path)
    expected = np.asarray(model(images))
    np.testing.assert_array_equal(again(images), expected)
    assert np.ptp(expected, axis=0).max() > 1e-4
    before = again.get_weights()
    again.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    again.train_on_batch(images, np.arange(8) % model.output_shape[1])
    for weight, old in zip(again.weights, before):
        assert np.all(np.isfinite(weight)) and np.any(weight.numpy() != old), weight
