import keras
import numpy as np
import pytest
from keras import layers
from scipy import ndimage

from kcv.layers.border_padding import (
    MODES,
    BorderPadding,
    pad_border,
)
from kcv.layers.convolution_arithmetic import output_size, same_padding

ROW = np.array([1.0, 2.0, 3.0], "float32").reshape(1, 3, 1)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("zero", [0, 0, 1, 2, 3, 0, 0]),
        ("wrap", [2, 3, 1, 2, 3, 1, 2]),
        ("replicate", [1, 1, 1, 2, 3, 3, 3]),
        ("reflect", [3, 2, 1, 2, 3, 2, 1]),
    ],
)
def test_a_row_by_hand(mode, expected):
    """Pencil: 1 2 3 with two more on each side."""
    np.testing.assert_array_equal(np.ravel(BorderPadding(2, mode)(ROW)), expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(1, 7, 2), (1, 5, 7, 3), (2, 4, 5, 6, 1)])
def test_equals_numpy(mode, shape):
    """Oracle, with another number of pixels on each side."""
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    padding = ((0, 3), (2, 1), (3, 0))[: len(shape) - 2]
    expected = np.pad(x, [(0, 0), *padding, (0, 0)], MODES[mode][0])
    layer = BorderPadding(padding, mode)
    np.testing.assert_array_equal(layer(x), expected)
    assert layer.compute_output_shape((None, *shape[1:])) == (
        None,
        *expected.shape[1:],
    )


@pytest.mark.parametrize("mode", MODES)
def test_convolution_equals_scipy(mode):
    """Oracle: a convolution after it is that of scipy.ndimage with the same border."""
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(6, 9)), rng.normal(size=(5, 5))
    expected = ndimage.correlate(image, kernel, mode=MODES[mode][1])
    x = pad_border(image[None, ..., None].astype("float32"), ((2, 2),) * 2, mode)
    y = keras.ops.conv(x, kernel[..., None, None].astype("float32"), padding="valid")
    np.testing.assert_allclose(np.asarray(y)[0, ..., 0], expected, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_gradient_counts_how_often_a_pixel_is_seen(mode):
    """Oracle: the gradient of the sum is the number of copies of each pixel."""
    tf = pytest.importorskip("tensorflow")
    shape, padding = (1, 4, 5, 1), ((1, 2), (3, 0))
    x = tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(pad_border(x, padding, mode))
    index = np.arange(1, 21).reshape(4, 5)
    copies = np.pad(index, padding, MODES[mode][0]).ravel()
    expected = np.bincount(copies, minlength=21)[1:].reshape(4, 5)
    np.testing.assert_allclose(tape.gradient(total, x)[0, ..., 0], expected)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("kernel_size", "dilation"), [(1, 1), (2, 1), (5, 1), (3, 2)])
def test_zero_border_is_the_same_of_keras(kernel_size, dilation, stride):
    """Special case: "zero" by `same_padding`, then "valid", is padding="same"."""
    if stride > 1 and dilation > 1:
        pytest.skip("Keras refuses stride and dilation together")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 8, 11, 2)).astype("float32")
    kernel = rng.normal(size=(kernel_size, kernel_size, 2, 3)).astype("float32")
    options = {"strides": stride, "dilation_rate": dilation}
    same = keras.ops.conv(x, kernel, padding="same", **options)
    sides = [same_padding(n, kernel_size, stride, dilation) for n in (8, 11)]
    valid = keras.ops.conv(pad_border(x, sides, "zero"), kernel, **options)
    np.testing.assert_allclose(valid, same, atol=1e-5)
    sizes = [
        output_size(n, kernel_size, stride, sum(pair), dilation)
        for n, pair in zip((8, 11), sides)
    ]
    assert sizes == list(same.shape[1:3])


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ((32, 5), 28),
        ((227, 11, 4), 55),
        ((224, 7, 2, 6), 112),
        ((9, 3, 1, 0, 4), 1),
        ((2, 3), 0),
    ],
)
def test_output_size_formula(arguments, size):
    """LeNet C1, AlexNet, ResNet; a dilated kernel that just fits; one that does not."""
    assert output_size(*arguments) == size


def test_sizes_may_be_unknown(tmp_path):
    """Life: in a model for any size, saved and loaded, with a trained kernel after."""
    images = keras.Input((None, None, 2), name="images")
    x = images
    for mode in MODES:
        x = BorderPadding(1, mode, name=mode)(x)
        x = layers.Conv2D(2, 3, name=f"{mode}_conv")(x)
    model = keras.Model(images, x)
    batch = np.random.default_rng(0).normal(size=(1, 6, 9, 2)).astype("float32")
    model.compile("sgd", "mse", jit_compile=False)
    answer = model.predict(batch, verbose=0)
    assert answer.shape == batch.shape
    model.train_on_batch(batch, batch)
    after = model.predict(batch, verbose=0)
    assert np.abs(after - answer).max() > 0
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(batch, verbose=0), after)


@pytest.mark.parametrize(
    ("arguments", "shape", "words"),
    [
        ((1, "mirror"), (1, 4, 4, 1), "no border mode 'mirror'; known: zero, wrap"),
        ((-1, "zero"), (1, 4, 4, 1), "none of them negative, got -1"),
        ((((1, 1),), "zero"), (1, 4, 4, 1), "is for 1 axes, the input has 2"),
        ((5, "wrap"), (1, 4, 4, 1), "cannot wrap 5 pixels at the border of 4"),
        ((4, "reflect"), (1, 4, 4, 1), "cannot reflect 4 .* pad at most 3"),
    ],
)
def test_errors(arguments, shape, words):
    with pytest.raises(ValueError, match=words):
        BorderPadding(*arguments).compute_output_shape(shape)
