import keras
import numpy as np
import pytest
from keras import layers, ops

from kcv.layers import views
from kcv.models import test_time

RNG = np.random.default_rng(0)


def classifier(shape=(6, 8, 3), classes=4):
    """Sees places and colours, so that every view says something else."""
    images = keras.Input(shape)
    hidden = layers.Dense(16, activation="tanh")(layers.Flatten()(images))
    return keras.Model(images, layers.Dense(classes, activation="softmax")(hidden))


def segmenter(shape=(None, None, 3), stride=1):
    """Not the same in a mirror, and of its own stride."""
    images = keras.Input(shape)
    hidden = layers.Conv2D(5, 3, padding="same", activation="tanh")(images)
    return keras.Model(images, layers.Conv2D(4, 3, stride, padding="same")(hidden))


def run(model, images):
    return np.asarray(model(images))


def pictures(height, width, count=3):
    return RNG.uniform(-1, 1, (count, height, width, 3)).astype(np.float32)


def saved(model, tmp_path):
    model.save(tmp_path / "model.keras")
    return keras.saving.load_model(tmp_path / "model.keras")


AXES = ((0.3, 0.2, 0.1), (-0.1, 0.2, 0.0), (0.02, 0.0, -0.03))


@pytest.mark.parametrize("crops", [True, False])
@pytest.mark.parametrize("flips", [True, False])
@pytest.mark.parametrize("axes", [AXES, ()])
def test_classifier_equals_a_loop(crops, flips, axes):
    model = classifier()
    size = (9, 13) if crops else (6, 8)
    images = pictures(*size)
    wrapped = test_time.test_time_augmented(model, size, flips, axes)
    answers = []
    starts = [(0, 0), (0, 5), (3, 0), (3, 5), (1, 2)] if crops else [(0, 0)]
    for y, x in starts:
        crop = images[:, y : y + 6, x : x + 8]
        for view in [crop, crop[:, :, ::-1]] if flips else [crop]:
            answers.append(run(model, view))
            for axis in axes:
                shift = np.array(axis, np.float32)
                answers.append(run(model, view + shift))
                answers.append(run(model, view - shift))
    assert len(answers) == (5 if crops else 1) * (1 + flips) * (1 + 2 * len(axes))
    expected = np.mean(answers, axis=0)
    ours = run(wrapped, images)
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    if len(answers) > 1:  # a view alone is not the mean
        assert np.abs(ours - answers[0]).max() > 1e-3
    assert wrapped.count_params() == model.count_params()


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("flips", [True, False])
@pytest.mark.parametrize("scales", [(1.0,), (0.5, 1.0, 1.25), (1.5,)])
def test_segmenter_equals_a_loop(stride, flips, scales):
    model = segmenter(stride=stride)
    images = pictures(8, 12)
    wrapped = test_time.test_time_augmented_segmenter(model, flips, scales)
    size = (8 // stride, 12 // stride)
    answers = []
    for scale in scales:
        rows = images
        if scale != 1:
            scaled = (int(8 * scale), int(12 * scale))
            rows = ops.image.resize(images, scaled, antialias=True).numpy()
        maps = [run(model, rows)]
        if flips:
            mirrored = run(model, rows[:, :, ::-1])
            maps.append(mirrored[:, :, ::-1])
        for answer in maps:
            if answer.shape[1:3] != size:
                answer = ops.image.resize(answer, size).numpy()
            answers.append(answer)
    ours = run(wrapped, images)
    assert ours.shape == (3, *size, 4)
    np.testing.assert_allclose(ours, np.mean(answers, axis=0), atol=1e-5)


def test_pencil_mirror_of_a_segmenter():
    """What is said of the mirrored left column counts for the right one."""
    places = np.arange(4.0).reshape(1, 1, 4, 1).astype(np.float32)
    mirrored = places[:, :, ::-1]  # as a model that says what it sees
    maps = views.MirroredBack()(np.concatenate([places, mirrored]))
    np.testing.assert_array_equal(maps, places)


def test_saves_and_loads(tmp_path):
    wrapped = test_time.test_time_augmented(classifier(), (8, 10), True, AXES)
    images = pictures(8, 10)
    expected = run(wrapped, images)
    loaded = saved(wrapped, tmp_path)
    np.testing.assert_allclose(run(loaded, images), expected, atol=1e-6)
    wrapped = test_time.test_time_augmented_segmenter(segmenter(), True, (1.0, 1.5))
    expected = run(wrapped, images)
    loaded = saved(wrapped, tmp_path)
    np.testing.assert_allclose(run(loaded, images), expected, atol=1e-6)


def test_trains_through_the_views():
    """The wrapper is a model like any other."""
    wrapped = test_time.test_time_augmented(classifier(), (8, 10))
    wrapped.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    before = [w.copy() for w in wrapped.get_weights()]
    wrapped.fit(pictures(8, 10), np.arange(3), verbose=0)
    changed = zip(before, wrapped.get_weights())
    assert all(np.abs(old - new).max() > 0 for old, new in changed)


def test_refuses_what_does_not_fit():
    wrap = test_time.test_time_augmented
    with pytest.raises(ValueError, match=r"image_size \(5, 9\) is smaller than"):
        wrap(classifier(), (5, 9))
    with pytest.raises(ValueError, match="is no classifier with one input"):
        wrap(segmenter())
    images = keras.Input((None, None, 3))
    free = keras.Model(images, layers.GlobalAveragePooling2D()(images))
    with pytest.raises(ValueError, match="with a fixed height and width"):
        wrap(free)
    with pytest.raises(ValueError, match="2 numbers an axis, the images 3 channels"):
        wrap(classifier(), colour_shifts=((1, 2),))
    wrap = test_time.test_time_augmented_segmenter
    with pytest.raises(ValueError, match=r"scales \(0, 1\) are not factors above 0"):
        wrap(segmenter(), scales=(0, 1))
    with pytest.raises(ValueError, match="is fixed at 8 x 8"):
        wrap(segmenter((8, 8, 3)), scales=(1, 2))
    with pytest.raises(ValueError, match="is no segmenter with one input"):
        wrap(classifier())
