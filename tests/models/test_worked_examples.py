"""What textbooks show with numbers, shown of the stock layers that models are made of.

The worked example of back-propagation is in test_mlp.py.
"""

import keras
import numpy as np
import pytest
from keras import layers
from scipy import ndimage

POOLED = np.array([[1, 4, 3, 6], [2, 1, 0, 9], [2, 2, 7, 7], [5, 3, 3, 6]], "float32")


def _filtered(image, kernel):
    kernel = np.asarray(kernel, "float32")[:, :, None, None]
    y = keras.ops.conv(image[None, ..., None].astype("float32"), kernel, padding="same")
    return np.asarray(y)[0, ..., 0]


def test_classical_kernels():
    """Identity, shift by one, box blur, and sharpening = 2 identity - box."""
    image = np.random.default_rng(0).normal(size=(6, 7)).astype("float32")
    identity, shift = np.zeros((3, 3)), np.zeros((3, 3))
    identity[1, 1] = shift[1, 0] = 1  # reads the pixel on its left: moves to the right
    box = np.full((3, 3), 1 / 9)
    np.testing.assert_array_equal(_filtered(image, identity), image)
    moved = np.pad(image, [(0, 0), (1, 0)])[:, :-1]
    np.testing.assert_array_equal(_filtered(image, shift), moved)
    blurred = ndimage.uniform_filter(image, 3, mode="constant")
    np.testing.assert_allclose(_filtered(image, box), blurred, atol=1e-6)
    sharp = _filtered(image, 2 * identity - box)
    np.testing.assert_allclose(sharp, 2 * image - blurred, atol=1e-6)


def test_sharpening_overshoots_at_an_edge():
    """Pencil: a step from 0 to 9; the box makes 3 and 6 of it, so -3 and 12."""
    image = np.repeat([[0.0, 0, 0, 9, 9, 9]], 5, axis=0)
    identity = np.pad([[1.0]], 1)
    sharp = _filtered(image, 2 * identity - np.full((3, 3), 1 / 9))
    np.testing.assert_allclose(sharp[2, 1:5], [0, -3, 12, 9], atol=1e-5)


def test_pooling_example():
    x = POOLED[None, ..., None]
    pooled = layers.MaxPooling2D(2)(x)
    np.testing.assert_array_equal(pooled[0, ..., 0], [[4, 9], [5, 7]])
    means = np.asarray(layers.AveragePooling2D(2)(x))
    np.testing.assert_array_equal(means[0, ..., 0], [[2, 4.5], [3, 5.75]])
    np.testing.assert_array_equal(4 * means[0, ..., 0], [[8, 18], [12, 23]])  # sum
    np.testing.assert_array_equal(layers.GlobalMaxPooling2D()(x), [[9]])
    np.testing.assert_array_equal(layers.GlobalAveragePooling2D()(x), [[61 / 16]])


def test_overlapping_pooling():
    """Pencil: window 3, stride 1; each 9 and 7 is seen by several windows."""
    pooled = layers.MaxPooling2D(3, 1)(POOLED[None, ..., None])
    np.testing.assert_array_equal(pooled[0, ..., 0], [[7, 9], [7, 9]])


def test_max_routes_the_gradient():
    """All of it to the maximum; the mean shares it out; of windows that overlap, sums.

    Where 7 is there twice, it reaches one of the two.
    """
    tf = pytest.importorskip("tensorflow")
    x = tf.constant(POOLED[None, ..., None])
    up = tf.constant(np.array([[1.0, 2.0], [3.0, 4.0]], "float32")[None, ..., None])

    def gradient(layer):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(layer(x) * up)
        return tape.gradient(total, x).numpy()[0, ..., 0]

    routed = gradient(layers.MaxPooling2D(2))
    assert routed[0, 1] == 1 and routed[1, 3] == 2 and routed[3, 0] == 3
    assert sorted(routed[2, 2:]) == [0, 4] and routed.sum() == 10
    shared = gradient(layers.AveragePooling2D(2))
    np.testing.assert_array_equal(
        shared, np.kron([[1, 2], [3, 4]], np.full((2, 2), 0.25))
    )
    overlapping = gradient(layers.MaxPooling2D(3, 1))
    assert overlapping[1, 3] == 2 + 4 and overlapping[2, 2] == 1 + 3


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [("tanh", "glorot_normal"), ("relu", "he_normal"), ("linear", "lecun_normal")],
)
@pytest.mark.parametrize("good", [True, False])
def test_variance_through_depth(activation, initializer, good):
    """Thirty layers of 256: the signal stays with the right start and dies without.

    LeCun keeps the variance of a linear net at 1; He the mean square behind a ReLU,
    which Glorot halves at every layer: 2^-30. Through tanh the variance falls slowly,
    like 1 / depth, from the part that saturates; with half Glorot's deviation it falls
    by 4 at every layer.
    """
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(200, 256)).astype("float32")
    for _ in range(30):
        if good:
            start = initializer
        else:
            start = {
                "relu": "glorot_normal",
                "tanh": keras.initializers.RandomNormal(stddev=0.5 / 16),
                "linear": keras.initializers.RandomNormal(stddev=0.5 / 16),
            }[activation]
        x = layers.Dense(256, activation, kernel_initializer=start)(x)
    power = float(np.mean(np.square(x)))
    if not good:
        assert power < 1e-7
    elif activation == "tanh":
        assert 0.01 < power < 0.1
    else:
        assert 0.25 < power < 4


def test_small_positive_bias_wakes_a_relu():
    """A unit that no input reaches has no gradient; with a bias of 0.1 it has one."""
    x = np.zeros((1, 4), "float32")
    for bias, alive in [("zeros", 0), (keras.initializers.Constant(0.1), 8)]:
        y = layers.Dense(8, "relu", bias_initializer=bias)(x)
        assert np.count_nonzero(y) == alive


@pytest.mark.parametrize(("kernel_size", "even"), [(4, True), (2, True), (3, False)])
def test_even_kernel_avoids_checkerboards(kernel_size, even):
    """A flat map through a transposed convolution of stride 2 and equal weights.

    A kernel that the stride divides covers every pixel equally often; 3 covers them
    1, 2, 4 times in turn.
    """
    flat = np.ones((1, 6, 6, 1), "float32")
    kernel = np.ones((kernel_size, kernel_size, 1, 1), "float32")
    up = keras.ops.conv_transpose(flat, kernel, strides=2, padding="same")
    inside = np.asarray(up)[0, 2:-2, 2:-2, 0]
    assert (np.ptp(inside) == 0) == even
    assert set(np.unique(inside)) == ({kernel_size**2 / 4} if even else {1, 2, 4})


def test_resizing():
    """Pencil: nearest repeats, bilinear has quarters at half-pixel centres."""
    x = np.array([0.0, 4.0], "float32").reshape(1, 1, 2, 1)
    nearest = layers.UpSampling2D((1, 2))(x)
    np.testing.assert_array_equal(np.ravel(nearest), [0, 0, 4, 4])
    bilinear = layers.UpSampling2D((1, 2), interpolation="bilinear")(x)
    np.testing.assert_allclose(np.ravel(bilinear), [0, 1, 3, 4])


def test_kinds_of_convolution():
    """Depthwise has a group a channel, 1x1 is a dense layer, separable is both."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 5, 6, 4)).astype("float32")
    depthwise = rng.normal(size=(3, 3, 4, 1)).astype("float32")
    pointwise = rng.normal(size=(1, 1, 4, 3)).astype("float32")
    per_channel = keras.ops.depthwise_conv(x, depthwise, padding="same")
    grouped = layers.Conv2D(4, 3, padding="same", groups=4, use_bias=False)
    grouped.build(x.shape)
    grouped.set_weights([depthwise.swapaxes(2, 3)])
    np.testing.assert_allclose(grouped(x), per_channel, atol=1e-5)
    for channel in range(4):
        one = ndimage.correlate(
            x[0, ..., channel], depthwise[..., channel, 0], mode="constant"
        )
        np.testing.assert_allclose(per_channel[0, ..., channel], one, atol=1e-5)
    dense = np.asarray(per_channel) @ pointwise[0, 0]
    np.testing.assert_allclose(keras.ops.conv(per_channel, pointwise), dense, atol=1e-5)
    separable = keras.ops.separable_conv(x, depthwise, pointwise, padding="same")
    np.testing.assert_allclose(separable, dense, atol=1e-5)
    holes = np.zeros((5, 5, 4, 3), "float32")
    holes[::2, ::2] = rng.normal(size=(3, 3, 4, 3))
    dilated = keras.ops.conv(x, holes[::2, ::2], padding="same", dilation_rate=2)
    np.testing.assert_allclose(
        dilated, keras.ops.conv(x, holes, padding="same"), atol=1e-5
    )
