import keras
import numpy as np
import pytest
from keras import layers

from kcv.layers.bed_of_nails import BedOfNails
from kcv.layers.max_unpooling import MaxPoolingWithPositions, MaxUnpooling

EXAMPLE = [[1, 4, 3, 6], [2, 1, 0, 9], [2, 2, 7, 7], [5, 3, 3, 6]]


def _image(rows):
    return np.array(rows, "float32")[None, ..., None]


def test_pooled_and_put_back_by_hand():
    """Pencil: 4, 9, 5 and the first of two 7 are remembered at places 1, 3, 2, 0."""
    pooled, positions = MaxPoolingWithPositions(2)(_image(EXAMPLE))
    np.testing.assert_array_equal(pooled[0, ..., 0], [[4, 9], [5, 7]])
    np.testing.assert_array_equal(positions[0, ..., 0], [[1, 3], [2, 0]])
    back = MaxUnpooling(2)(pooled, positions)
    np.testing.assert_array_equal(
        back[0, ..., 0], [[0, 4, 0, 0], [0, 0, 0, 9], [0, 0, 7, 0], [5, 0, 0, 0]]
    )


def _slow(images, k):
    """Loops and numpy.argmax, which takes the first of equal values, too."""
    batch, height, width, channels = images.shape
    shape = (batch, height // k, width // k, channels)
    pooled, positions = np.zeros(shape, "float32"), np.zeros(shape, int)
    back = np.zeros_like(images)
    for b, y, x, c in np.ndindex(*shape):
        window = images[b, y * k : y * k + k, x * k : x * k + k, c]
        place = positions[b, y, x, c] = window.argmax()
        pooled[b, y, x, c] = window.max()
        back[b, y * k + place // k, x * k + place % k, c] = window.max()
    return pooled, positions, back


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("size", [(6, 6), (7, 11)])
def test_equal_loops(k, size):
    """Oracle, with ties, negative numbers and rows left over."""
    images = np.random.default_rng(0).integers(-3, 4, (1, *size, 3)).astype("float32")
    pooled, positions, back = _slow(images, k)
    got, places = MaxPoolingWithPositions(k)(images)
    np.testing.assert_array_equal(got, pooled)
    np.testing.assert_array_equal(places, positions)
    np.testing.assert_array_equal(MaxUnpooling(k, size)(got, places), back)
    np.testing.assert_array_equal(got, layers.MaxPooling2D(k)(images))


def test_gradients_follow_the_positions():
    """The way back of unpooling is what pooling reads, and the other way round."""
    tf = pytest.importorskip("tensorflow")
    x = tf.constant(np.random.default_rng(0).normal(size=(1, 4, 6, 2)), tf.float32)
    up = np.random.default_rng(1).normal(size=(1, 2, 3, 2)).astype("float32")
    pool, unpool = MaxPoolingWithPositions(2), MaxUnpooling(2)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        pooled, positions = pool(x)
        weighted = tf.reduce_sum(pooled * up)
        back = tf.reduce_sum(unpool(pooled, positions) * x)  # = sum of pooled^2
    expected = unpool(up, positions)
    np.testing.assert_array_equal(tape.gradient(weighted, x), expected)
    np.testing.assert_allclose(
        tape.gradient(back, x), 2 * unpool(pooled, positions), rtol=1e-6
    )


def test_bed_of_nails_by_hand():
    """Pencil: each pixel is the top left one of three by three."""
    up = np.asarray(BedOfNails(3)(_image([[1, 2], [3, 4]])))[0, ..., 0]
    expected = np.zeros((6, 6))
    expected[::3, ::3] = [[1, 2], [3, 4]]
    np.testing.assert_array_equal(up, expected)


def test_bed_of_nails_and_convolution_are_a_transposed_convolution():
    """Oracle: "full" correlation with the flipped kernel, in and out exchanged."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 4, 5, 2)).astype("float32")
    kernel = rng.normal(size=(3, 3, 4, 2)).astype("float32")  # (k, k, out, in)
    expected = keras.ops.conv_transpose(x, kernel, strides=2, padding="valid")
    up = np.pad(BedOfNails(2)(x), [(0, 0), (2, 1), (2, 1), (0, 0)])
    y = keras.ops.conv(up, kernel[::-1, ::-1].swapaxes(2, 3).copy(), padding="valid")
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_bed_of_nails_gradient_reads_the_nails():
    tf = pytest.importorskip("tensorflow")
    x = tf.constant(np.random.default_rng(0).normal(size=(1, 3, 2, 2)), tf.float32)
    up = np.random.default_rng(1).normal(size=(1, 6, 4, 2)).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(BedOfNails(2)(x) * up)
    np.testing.assert_array_equal(tape.gradient(total, x), up[:, ::2, ::2])


@pytest.mark.parametrize("shape", [(8, 8, 1), (None, None, 1)])
def test_encoder_and_decoder(shape, tmp_path):
    """Life: SegNet's pair in a model of fixed and of any size."""
    images = keras.Input(shape, name="images")
    x = layers.Conv2D(3, 3, padding="same", activation="relu")(images)
    x, positions = MaxPoolingWithPositions(2)(x)
    x = layers.Conv2D(3, 3, padding="same")(x)
    x = MaxUnpooling(2)(x, positions)
    x = BedOfNails(2)(layers.Conv2D(1, 3, 2, padding="same")(x))
    model = keras.Model(images, x)
    assert model.output_shape == (None, *shape)
    batch = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype("float32")
    model.compile("sgd", "mse", jit_compile=False)
    before = [w.copy() for w in model.get_weights()]
    model.train_on_batch(batch, batch)
    after = model.get_weights()
    assert all(np.abs(a - b).max() > 0 for a, b in zip(after, before))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    answers = [m.predict(batch, verbose=0) for m in (model, loaded)]
    assert answers[0].shape == (1, 8, 8, 1)
    np.testing.assert_array_equal(*answers)


def test_errors():
    with pytest.raises(ValueError, match="pool_size must be .* at least 2, got 1"):
        MaxPoolingWithPositions(1)
    with pytest.raises(ValueError, match="pool_size must be .* at least 2, got 2.5"):
        MaxUnpooling(2.5)
    with pytest.raises(ValueError, match="maps of 3x3 were not pooled .* windows of 2"):
        MaxUnpooling(2, (8, 7)).compute_output_shape((1, 3, 3, 1))
    with pytest.raises(ValueError, match="size must be a positive .*, got 0"):
        BedOfNails(0)
