"""What the tests of the Inception family share, each part obvious rather than fast."""

import math

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from kcv.export import convert


def randomize(model, images):
    """Random weights with which activations keep their size and depend on the image.

    Batch normalisation takes its statistics from `images`, as one training step would;
    from few of them some variances are so small that rounding is blown up.
    """
    rng = np.random.default_rng(0)
    model.set_weights([_random_value(w, rng) for w in model.weights])
    norms = [la for la in model.layers if isinstance(la, _BatchNorm)]
    if norms:
        momenta = [la.momentum for la in norms]
        for la in norms:
            la.momentum = 0.0
        model(images.astype("float32"), training=True)
        for la, momentum in zip(norms, momenta):
            la.momentum = momentum


_BatchNorm = keras.layers.BatchNormalization


def _random_value(weight, rng):
    kind, shape = weight.path.rsplit("/", 1)[1], tuple(weight.shape)
    if kind == "gamma":
        return rng.uniform(0.5, 1.5, shape)
    if kind == "moving_variance":
        return np.ones(shape)
    if kind in ("beta", "bias", "moving_mean"):
        return rng.normal(0, 0.3, shape)
    fan_in = np.prod(shape[:2]) if "depthwise" in kind else np.prod(shape[:-1])
    kernel = rng.standard_normal(shape, "float32")
    return np.sqrt(2 / fan_in, dtype="float32") * kernel


def check_same_logits(build, theirs, size):
    """With random weights of `theirs`, a builder of keras.applications."""
    arguments = {"classes": 7, "classifier_activation": None}
    oracle = theirs(input_shape=(*size, 3), weights=None, **arguments)
    model = build((*size, 3), **arguments)
    assert model.count_params() == oracle.count_params()
    rng = np.random.default_rng(1)
    randomize(oracle, rng.uniform(-1, 1, (8, *size, 3)))
    model.set_weights(oracle.get_weights())
    images = rng.uniform(-1, 1, (2, *size, 3)).astype("float32")
    _assert_same(model(images, training=False), oracle(images, training=False))


def _assert_same(actual, expected):
    expected = np.asarray(expected)
    scale = np.abs(expected).max()
    assert 0.1 < scale < 1e3 and np.ptp(expected, axis=0).max() > 0.02 * scale
    np.testing.assert_allclose(actual, expected, atol=1e-4 * scale)


class _AskedError(Exception):
    pass


def check_published_file(build, theirs, size, folder, monkeypatch, *more):
    """weights="imagenet" asks for the file that `theirs` does, and loads its layout.

    So does each builder of `more`.
    """
    asked, path = [], folder / "published.h5"

    def get_file(name, url, cache_subdir=None, file_hash=None):
        asked.append((name, url, cache_subdir, file_hash))
        if len(asked) == 1:
            raise _AskedError
        return str(path)

    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", get_file)
    monkeypatch.setattr(keras.utils, "get_file", get_file)
    shape = (*size, 3)
    with (
        pytest.raises(_AskedError),
        keras.StatelessScope(initialize_variables=False),
    ):
        theirs(weights="imagenet")
    oracle = theirs(input_shape=shape, weights=None, classifier_activation=None)
    rng = np.random.default_rng(1)
    randomize(oracle, rng.uniform(-1, 1, (8, *shape)))
    _write_published(oracle, path)
    images = rng.uniform(-1, 1, (2, *shape)).astype("float32")
    expected = oracle(images, training=False)
    for each in (build, *more):
        model = each(shape, weights="imagenet", classifier_activation=None)
        _assert_same(model(images, training=False), expected)
    assert set(asked[1:]) == {asked[0]}


def _write_published(model, path):
    """The layout of the published files, layer by layer."""
    with h5py.File(path, "w") as file:
        names = [layer.name for layer in model.layers]
        file.attrs["layer_names"] = [name.encode() for name in names]
        for layer in model.layers:
            weights = layer.trainable_weights + layer.non_trainable_weights
            entry = file.create_group(layer.name)
            keys = [f"{layer.name}/{w.name}:0" for w in weights]
            entry.attrs["weight_names"] = [key.encode() for key in keys]
            for key, weight in zip(keys, weights):
                entry[key] = weight.numpy()


def check_subsample(features, size, output_stride, level, first, silent=()):
    """The dilated map has the map of output stride 32 at every second position.

    Args:
        features: from (images, output_stride=) to the maps.
        size: (height, width) at which the map before is odd.
        output_stride: at which `level` is twice as fine as at 32.
        level: "C4" or "C5".
        first: position of the first of them.
        silent: starts of the names of convolutions whose kernels become zero, for
            they follow a pooling, which does not dilate.
    """
    models = {}
    for stride in (32, output_stride):
        images = keras.Input((*size, 3))
        models[stride] = keras.Model(images, features(images, output_stride=stride))
    rng = np.random.default_rng(2)
    images = rng.uniform(-1, 1, (8, *size, 3)).astype("float32")
    randomize(models[32], images)
    images = images[:2]
    for layer in models[32].layers:
        if layer.name.startswith(tuple(silent)) and layer.name.endswith("_projection"):
            layer.set_weights([0 * w for w in layer.get_weights()])
    models[output_stride].set_weights(models[32].get_weights())
    coarse = np.asarray(models[32](images, training=False)[level])
    fine = np.asarray(models[output_stride](images, training=False)[level])
    assert coarse.shape[1] >= 2 and fine.shape[1] > coarse.shape[1]
    scale = np.abs(coarse).max()
    assert scale > 0.1
    np.testing.assert_allclose(fine[:, first::2, first::2], coarse, atol=1e-4 * scale)


def check_gradients(model):
    """Every trainable weight moves some logit."""
    rng = np.random.default_rng(3)
    images = rng.uniform(-1, 1, (2, *model.input_shape[1:])).astype("float32")
    randomize(model, images)
    with tf.GradientTape() as tape:
        outputs = tf.nest.flatten(model(images, training=False))
        loss = sum(tf.reduce_sum(y * rng.normal(size=y.shape)) for y in outputs)
    weights = model.trainable_weights
    gradients = tape.gradient(loss, [w.value for w in weights])
    dead = [w.path for w, g in zip(weights, gradients) if g is None or not np.any(g)]
    assert not dead


def check_saved(model, folder):
    """Saved as .keras and loaded, the answers are the same to the bit."""
    rng = np.random.default_rng(4)
    images = rng.uniform(-1, 1, (2, *model.input_shape[1:])).astype("float32")
    randomize(model, images)
    model.save(folder / "model.keras")
    again = keras.saving.load_model(folder / "model.keras")
    # Called, for `predict` would compile for seconds.
    before, after = (tf.nest.flatten(m(images, training=False)) for m in (model, again))
    for x, y in zip(before, after, strict=True):
        np.testing.assert_array_equal(x, y)


def check_exported(model, folder):
    """Float32 and int8 through the gate; returns both reports.

    With random weights, int8 may answer anything: what it costs is measured of trained
    models. Here it has to have builtin operators in int8 alone.
    """
    rng = np.random.default_rng(5)
    size = model.input_shape[1:]
    # Smooth blobs: more unlike each other than noise.
    coarse = rng.uniform(-1, 1, (24, 4, 4, size[-1])).astype("float32")
    images = np.asarray(tf.image.resize(coarse, size[:2], "nearest"))
    randomize(model, images)
    return {
        mode: convert(
            model,
            folder / f"{mode}.tflite",
            quantize=mode,
            calibration=images,
            bound=math.inf if mode == "int8" else None,
        )
        for mode in ("float32", "int8")
    }


# A forward pass in NumPy, from the formulas.
def conv(x, kernel, bias=0.0, strides=1):
    """Zero-padded so that the output has ceil(size / strides) positions."""
    x = _padded(x, kernel.shape[:2], strides, 0.0)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], (1, 2))
    windows = windows[:, ::strides, ::strides]  # (b, h, w, channels, kh, kw)
    return np.einsum("bhwcij,ijcf->bhwf", windows, kernel, optimize=True) + bias


def pool(x, size, strides, function):
    """`function` is np.nanmax or np.nanmean: the border does not count."""
    x = _padded(x, (size, size), strides, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
    return function(windows[:, ::strides, ::strides], axis=(-2, -1))


def _padded(x, size, strides, value):
    pads = [(0, 0)]
    for n, k in zip(x.shape[1:3], size):
        total = max((-(-n // strides) - 1) * strides + k - n, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, [*pads, (0, 0)], constant_values=value)


def relu(x):
    return np.maximum(x, 0.0)
