import keras
import numpy as np
import pytest
from keras import layers

from kcv.models.classification import sliding_window
from kcv.models.classification.mobilenet_v1 import mobilenet_v1
from kcv.models.classification.mobilenet_v3 import mobilenet_v3_small

RNG = np.random.default_rng(0)


def randomised(model):
    model.set_weights([RNG.normal(0, 0.3, w.shape) for w in model.weights])
    return model


def classifier(size=(12, 14), pooled=False):
    """Nothing in it pads; its stride is 2."""
    images = keras.Input((*size, 2))
    x = layers.Conv2D(4, 3, activation="relu")(images)
    x = layers.MaxPooling2D()(x)
    y = layers.Conv2D(5, 2, activation="tanh")(x)
    x = layers.Add()([y, layers.Conv2D(5, 2)(x)])
    x = layers.BatchNormalization()(x)
    if pooled:
        x = layers.GlobalAveragePooling2D()(x)
    else:
        x = layers.Dense(7, activation="relu")(layers.Flatten()(x))
        x = layers.Dropout(0.5)(x)
    x = layers.Dense(3, activation="softmax")(x)
    model = keras.Model(images, x)
    for layer in randomised(model).layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_variance.assign(RNG.uniform(0.5, 2, 5))
    return model


def picture(height, width, channels=2):
    return RNG.normal(size=(height, width, channels)).astype("float32")


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("size", [(12, 14), (17, 21), (13, 30)])
def test_equals_patch_by_patch(pooled, size):
    model = classifier(pooled=pooled)
    slid = sliding_window.to_convolutional(model)
    image = picture(*size)
    boxes, answers = sliding_window.slide(slid, image, (12, 14), stride=2)
    expected = [
        (x, y, x + 14, y + 12)
        for y in range(0, size[0] - 11, 2)
        for x in range(0, size[1] - 13, 2)
    ]
    np.testing.assert_array_equal(boxes, expected)
    patches = [image[y1:y2, x1:x2] for x1, y1, x2, y2 in expected]
    wanted = np.asarray(model(np.stack(patches)))
    if len(wanted) > 1:
        assert np.ptp(wanted, axis=0).max() > 0.01  # the patches differ
    np.testing.assert_allclose(answers, wanted, atol=1e-5)
    assert slid.count_params() == model.count_params()


def test_weights_are_copied_not_shared():
    model = classifier()
    slid = sliding_window.to_convolutional(model)
    image = picture(12, 14)[None]
    before = np.asarray(slid(image))
    randomised(model)
    np.testing.assert_array_equal(slid(image), before)


def test_padded_body_is_exact_at_its_own_size():
    """Then no window has a neighbour; MobileNet's map of 1x1 becomes one of 2x3."""
    model = mobilenet_v1((32, 32, 3), 5, alpha=0.25)
    slid = sliding_window.to_convolutional(model)
    image = picture(32, 32, 3)[None]
    np.testing.assert_allclose(slid(image)[:, 0, 0], model(image), atol=1e-5)
    assert slid(picture(64, 96, 3)[None]).shape == (1, 2, 3, 5)


def test_scales_see_larger_things_in_smaller_pictures():
    """Pencil: at half the size, 24x28 becomes 12x14: one window, the whole picture."""
    slid = sliding_window.to_convolutional(classifier())
    image = picture(24, 28)
    boxes, answers = sliding_window.slide(slid, image, (12, 14), 2, (0.4, 0.5, 1.0))
    assert len(boxes) == len(answers) == 1 + 7 * 8
    np.testing.assert_array_equal(boxes[0], [0, 0, 28, 24])
    np.testing.assert_array_equal(boxes[-1], [14, 12, 28, 24])
    boxes, answers = sliding_window.slide(slid, image, (12, 14), 2, (0.1,))
    assert boxes.shape == (0, 4) and answers.shape == (0, 3)


def test_saves_and_loads(tmp_path):
    slid = sliding_window.to_convolutional(classifier())
    slid.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    image = picture(16, 20)[None]
    np.testing.assert_array_equal(again(image), slid(image))


def test_merges_by_pencil():
    """Two boxes a pixel apart are one thing, of both scores; the third stays alone."""
    boxes = [[50, 50, 60, 60], [0, 0, 10, 10], [1, 0, 11, 10]]
    merged, scores = sliding_window.merge_boxes(boxes, [0.6, 0.5, 0.4])
    np.testing.assert_allclose(merged, [[0.5, 0, 10.5, 10], [50, 50, 60, 60]])
    np.testing.assert_allclose(scores, [0.9, 0.6])


def test_limit_of_merging_by_pencil():
    """Shifted by 1 of 10: 0.1 of a side, and 1 - 90 / 110 of their area: 0.2818."""
    boxes, ones = [[0, 0, 10, 10], [1, 0, 11, 10]], [1.0, 1.0]
    assert len(sliding_window.merge_boxes(boxes, ones, limit=0.2817)[0]) == 2
    assert len(sliding_window.merge_boxes(boxes, ones, limit=0.2819)[0]) == 1
    assert len(sliding_window.merge_boxes([boxes[0]] * 3, [1, 1, 1], limit=0)[0]) == 1


def test_nothing_to_merge():
    boxes, scores = sliding_window.merge_boxes(np.zeros((0, 4)), [])
    assert boxes.shape == (0, 4) and scores.shape == (0,)


def test_overfeat_is_the_papers():
    """145 million parameters, 2,810 million connections: Table 3 of the paper."""
    from kcv.models.multiply_adds import multiply_adds

    images = keras.Input((231, 231, 3))
    maps = sliding_window.overfeat_fast_features(images)
    assert [(name, x.shape[1:]) for name, x in maps.items()] == [
        ("C2", (56, 56, 96)),
        ("C3", (24, 24, 256)),
        ("C4", (12, 12, 1024)),
        ("C5", (6, 6, 1024)),
    ]
    body = keras.Model(images, maps["C5"])
    dense = (6 * 6 * 1024, 3072, 4096, 1000)
    pairs = list(zip(dense, dense[1:]))
    assert body.count_params() + sum(m * n + n for m, n in pairs) == 145_920_872
    work = multiply_adds(body) + sum(m * n for m, n in pairs)
    assert work == 2_801_403_904
    assert work / 1e6 == pytest.approx(2810, rel=0.005)


def test_small_overfeat_slides():
    model = sliding_window.overfeat_fast((71, 71, 3), 4, None, alpha=0.05)
    slid = sliding_window.to_convolutional(model)
    image = picture(71, 103, 3)[None]
    assert slid(image).shape == (1, 1, 2, 4)
    np.testing.assert_allclose(
        slid(image[:, :, :71])[:, 0, 0], model(image[:, :, :71]), atol=1e-5
    )


def test_refuses_what_cannot_slide():
    with pytest.raises(ValueError, match="at least 71 pixels"):
        sliding_window.overfeat_fast((70, 80, 3))
    with pytest.raises(ValueError, match="'block0_se_scale', a Multiply: only Flatten"):
        sliding_window.to_convolutional(mobilenet_v3_small((32, 32, 3), 5))
    images = keras.Input((4, 4, 2))
    maps = keras.Model(images, layers.Conv2D(3, 1)(images), name="maps")
    with pytest.raises(ValueError, match="maps is no classifier of one image"):
        sliding_window.to_convolutional(maps)
    flat = layers.Dense(3)(layers.Reshape((32,), name="flat")(images))
    with pytest.raises(ValueError, match="cannot slide layer 'flat', a Reshape"):
        sliding_window.to_convolutional(keras.Model(images, flat))


@pytest.mark.slow
@pytest.mark.parametrize("quantize", ["float32", "int8"])
def test_exports(quantize, tmp_path):
    from kcv.export import convert

    model = sliding_window.overfeat_fast((71, 71, 3), 4, None, alpha=0.05)
    images = RNG.uniform(-1, 1, (16, 71, 71, 3)).astype("float32")
    convert(model, tmp_path / "x.tflite", quantize=quantize, calibration=images)
