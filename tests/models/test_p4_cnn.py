import keras
import numpy as np
import pytest

from kcv.layers.group_convolution import GROUPS, relative, transform
from kcv.models.classification import p4_cnn

RNG = np.random.default_rng(0)
BUILDERS = {"p4": p4_cnn.p4_cnn, "p4m": p4_cnn.p4m_cnn}


def pictures(height=28, width=28, count=2):
    return RNG.uniform(-1, 1, (count, height, width, 1)).astype("float32")


def moved(images, element):
    return np.stack([transform(image, element) for image in images])


def randomised(model):
    """With statistics and scales that are not those of a fresh network."""
    for weight in model.weights:
        kind, shape = weight.path.rsplit("/", 1)[1], weight.shape
        if kind in ("gamma", "moving_variance"):
            weight.assign(RNG.uniform(0.5, 1.5, shape))
        elif kind in ("beta", "bias", "moving_mean"):
            weight.assign(RNG.normal(0, 0.1, shape))
    return model


@pytest.mark.parametrize(("group", "filters"), [("p4", 10), ("p4m", 7)])
def test_parameters(group, filters):
    """Pencil: kernels, bias of the last, four numbers a filter of batch norm.

    The paper says about 25,000 for P4CNN and for its plain network of 20 channels.
    """
    order, last = GROUPS[group], 4 * 4 * 10
    kernels = 9 * filters + 5 * 9 * order * filters**2 + last * order * filters
    expected = kernels + 10 + 6 * 4 * filters
    assert BUILDERS[group]().count_params() == expected
    assert expected == {"p4": 24_740, "p4m": 26_841}[group]
    plain = 9 * 20 + 5 * 9 * 20**2 + last * 20
    assert kernels == pytest.approx(plain, rel=0.25)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("size", [(28, 28), (30, 34)])
def test_answer_is_the_same_for_every_position(group, size):
    model = randomised(BUILDERS[group]((*size, 1), classifier_activation=None))
    images = pictures(*size)
    expected = np.asarray(model(images))
    assert np.ptp(expected, axis=0).max() > 0.01
    for element in range(GROUPS[group]):
        images_moved = moved(images, element)
        if images_moved.shape == images.shape:
            np.testing.assert_allclose(model(images_moved), expected, atol=1e-4)
    mirrored = np.abs(np.asarray(model(images[:, :, ::-1])) - expected).max()
    assert (mirrored > 1e-2) == (group == "p4")


@pytest.mark.parametrize("group", GROUPS)
def test_features_turn_and_change_places(group):
    """Batch norm, ReLU and pooling keep it: exact up to the order of sums."""
    images = keras.Input((28, 28, 1))
    maps = p4_cnn.p4_cnn_features(images, group, filters=3)
    model = randomised(keras.Model(images, maps))
    batch = pictures()
    before = model(batch)
    assert before["C0"].shape == (2, 24, 24, 3 * GROUPS[group])
    assert before["C1"].shape == (2, 4, 4, 3 * GROUPS[group])
    for s in range(GROUPS[group]):
        after = model(moved(batch, s))
        for level, maps in after.items():
            split = (*maps.shape[:3], GROUPS[group], 3)
            old, new = np.reshape(before[level], split), np.reshape(maps, split)
            assert np.ptp(old, axis=3).max() > 0.1
            for r in range(GROUPS[group]):
                wanted = moved(old[:, :, :, relative(s, r)], s)
                np.testing.assert_allclose(new[:, :, :, r], wanted, atol=1e-4)


def test_refuses_what_does_not_turn():
    with pytest.raises(ValueError, match=r"\(29, 30, 1\) is odd: .* choose even"):
        p4_cnn.p4_cnn((29, 30, 1))
    with pytest.raises(ValueError, match="at least 28 pixels"):
        p4_cnn.p4m_cnn((26, 28, 1))
    with pytest.raises(ValueError, match="no imagenet weights were published for p4_c"):
        p4_cnn.p4_cnn(weights="imagenet")


def test_saves_and_loads(tmp_path):
    model = randomised(p4_cnn.p4_cnn(classes=3, filters=2))
    model.save(tmp_path / "model.keras")
    images = pictures()
    expected = np.asarray(model(images))
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(images), expected)
    model.save_weights(tmp_path / "x.weights.h5")
    again = p4_cnn.p4_cnn(classes=3, filters=2, weights=tmp_path / "x.weights.h5")
    np.testing.assert_allclose(again(images), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_gradients_reach_every_weight(group):
    import tensorflow as tf

    model = randomised(BUILDERS[group](classifier_activation=None, filters=3))
    with tf.GradientTape() as tape:
        loss = keras.ops.sum(model(pictures(), training=True) ** 2)
    gradients = tape.gradient(loss, [w.value for w in model.trainable_weights])
    for weight, gradient in zip(model.trainable_weights, gradients):
        assert np.abs(np.asarray(gradient)).max() > 0, weight.path


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("quantize", ["float32", "int8"])
def test_exports_as_plain_convolutions(group, quantize, tmp_path):
    from kcv.export import convert, flatbuffer

    model = randomised(BUILDERS[group](classifier_activation=None))
    path = tmp_path / "p4.tflite"
    convert(model, path, quantize=quantize, calibration=pictures(count=32))
    counts = flatbuffer.read(path.read_bytes()).counts()
    assert counts["CONV_2D"] == 7 and "GATHER" not in counts
