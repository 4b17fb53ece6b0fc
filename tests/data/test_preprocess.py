import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn import datasets

from kcv import data
from kcv.data import jpeg, preprocess

SHAPES = [(128, 128, 3), (224, 160, 3), (64, 64, 1), (30, 50, 3), (500, 700, 3)]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Two real photographs as JPEG and PNG, the second one grey."""
    root = tmp_path_factory.mktemp("photographs")
    for index, photograph in enumerate(datasets.load_sample_images().images):
        image = Image.fromarray(photograph).convert(("RGB", "L")[index])
        for kind in ("jpg", "png"):
            path = root / kind / f"train/{'ab'[index]}/0.{kind}"
            path.parent.mkdir(parents=True)
            image.save(path, quality=90)
    return root


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize("image_shape", SHAPES, ids=str)
def test_pipeline_equals_pillow(photographs, image_shape, kind):
    """Evaluation sees the same pixels as a device, within one grey level or two."""
    images = folder_batch(photographs / kind, image_shape)
    for image, name in zip(images, "ab"):
        path = photographs / kind / f"train/{name}/0.{kind}"
        expected = preprocess.pillow_preprocess(Image.open(path), image_shape)
        error = np.abs(image - expected)
        assert error.mean() < 0.3 and error.max() <= 2, name


def folder_batch(root, image_shape, **options):
    source = data.source(root, "train")
    batches = data.batches(source, 2, image_shape, (0, 255), cache_bytes=0, **options)
    batch = next(iter(batches))
    return batch["images"].numpy()[np.argsort(batch["labels"])]


def test_fast_training_images_are_close(photographs):
    """Training shrinks while decoding; that is a little sharper, but not shifted."""
    exact = folder_batch(photographs / "jpg", (96, 96, 3))
    fast = folder_batch(photographs / "jpg", (96, 96, 3), epoch=0)
    shifted = np.abs(exact[:, :, 1:] - exact[:, :, :-1]).mean()
    assert 0 < np.abs(fast - exact).mean() < 4
    assert np.abs(fast - exact).mean() < shifted / 2


def test_jpeg_comes_no_smaller_than_asked(photographs):
    contents = tf.io.read_file(str(photographs / "jpg/train/a/0.jpg"))
    stored = tf.constant([427, 640])
    for size, expected in (
        ((428, 10), (427, 640)),
        ((214, 320), (427, 640)),
        ((213, 320), (214, 320)),
        ((106, 100), (107, 160)),
        ((9, 9), (54, 80)),
    ):
        assert jpeg.decode(contents, stored, size).shape == (*expected, 3)
    assert jpeg.decode(contents, stored).shape == (427, 640, 3)


def test_pencil_resize():
    """Four pixels to two: output 0 lies at 0.5, output 1 at 2.5.

    The antialiasing triangle is two pixels wide to either side: the weights are
    1 - 0.5 / 2, 1 - 0.5 / 2 and 1 - 1.5 / 2, which is 3 : 3 : 1.
    """
    row = np.array([[0, 70, 140, 0]], np.uint8)[..., None]
    small = preprocess.resize(tf.constant(row), (1, 2)).numpy()[0, :, 0]
    assert small.tolist() == [(3 * 0 + 3 * 70 + 140) / 7, (70 + 3 * 140 + 3 * 0) / 7]


def test_same_size_is_untouched(picture):
    image = preprocess.resize(tf.constant(picture), picture.shape[:2])
    np.testing.assert_array_equal(image, picture)


def test_fast_resize_shrinks_by_means_and_enlarges_smoothly():
    row = tf.constant(np.array([[0, 10, 100, 200]], np.uint8)[..., None])
    small = preprocess.resize_fast(row, (1, 2)).numpy()
    assert small[0, :, 0].tolist() == [5, 150]
    # Enlarged, an area filter would repeat pixels; this interpolates.
    large = preprocess.resize_fast(row, (1, 8)).numpy()[0, :, 0]
    np.testing.assert_array_equal(large, preprocess.resize(row, (1, 8))[0, :, 0])
    assert len(set(large.tolist())) > 4


def test_grey_of_colours():
    """BT.601 on pure colours: 255 * 0.299 = 76, 150 and 29; white stays 255."""
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]])
    colours = colours.astype(np.uint8)
    ours = preprocess.to_channels(tf.constant(colours), 1).numpy()[0, :, 0]
    assert ours.tolist() == [76, 150, 29, 255]
    np.testing.assert_array_equal(
        ours, np.asarray(Image.fromarray(colours).convert("L"))[0]
    )


def test_to_uint8():
    """Half transparent black is middle grey; 16 bits are divided by 257."""
    rgba = np.array([[[0, 0, 0, 128], [10, 20, 30, 255], [1, 2, 3, 0]]], np.uint8)
    flat = preprocess.to_uint8(tf.constant(rgba)).numpy()
    assert flat.tolist() == [[[127, 127, 127], [10, 20, 30], [255, 255, 255]]]
    deep = np.array([[[0], [257], [65535], [128], [129]]], np.uint16)
    shallow = preprocess.to_uint8(tf.constant(deep)).numpy()[0, :, 0]
    assert shallow.tolist() == [0, 1, 255, 0, 1]


@pytest.mark.parametrize("pixel_range", [(-1, 1), (0, 1), (0, 255), (-2.5, 3)])
def test_normalization(pixel_range):
    low, high = preprocess.normalize(np.array([0, 255]), pixel_range).numpy()
    assert (low, high) == pytest.approx(pixel_range)
    assert preprocess.normalization((-1, 1)) == (127.5, 127.5)
    assert preprocess.normalization((0, 1)) == (0, 255)


def test_crop():
    image = tf.reshape(tf.range(24), (4, 6, 1))
    cropped = preprocess.crop(image, tf.constant([0.25, 0.5, 0.5, 0.5], tf.float64))
    assert cropped[..., 0].numpy().tolist() == [[9, 10, 11], [15, 16, 17]]
    tiny = preprocess.crop(image, tf.constant([0.99, 0.99, 0.001, 0.001], tf.float64))
    assert tiny.numpy().ravel().tolist() == [23]


def test_floating_point_pictures_with_pillow():
    image = Image.fromarray(np.array([[-5.0, 0.4, 99.6, 300.0]], np.float32))
    assert np.asarray(preprocess.pillow_upright(image)).tolist() == [[0, 0, 100, 255]]
