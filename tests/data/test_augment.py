import colorsys

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from data_pictures import smooth_picture
from hypothesis import strategies as st

from kcv import data
from kcv.data import augment, random_numbers


def draw(**values):
    """Random numbers as given, in the middle elsewhere."""
    return {
        name: tf.constant(values.get(name, 0.5), tf.float64)
        for name in random_numbers._COLUMNS
    }


def change(image, options, **values):
    image = augment.change_image(data.Augment(**options), image, draw(**values))
    return np.asarray(image).astype(np.float64)


# Geometry.


def slow_resample(image, transform, fill):
    """Pixel by pixel in Python."""
    height, width, _ = image.shape
    result = np.zeros(image.shape)

    def pixel(y, x):
        if fill == "constant" and not (0 <= y < height and 0 <= x < width):
            return 0
        if fill == "nearest":
            return image[min(max(y, 0), height - 1), min(max(x, 0), width - 1)]
        y, x = y % (2 * height), x % (2 * width)
        return image[min(y, 2 * height - 1 - y), min(x, 2 * width - 1 - x)]

    for row in range(height):
        for column in range(width):
            x, y = transform @ (column, row, 1)
            left, top = int(np.floor(x)), int(np.floor(y))
            for dy in (0, 1):
                for dx in (0, 1):
                    weight = (1 - abs(x - left - dx)) * (1 - abs(y - top - dy))
                    result[row, column] += weight * pixel(top + dy, left + dx)
    return result


@pytest.mark.parametrize("fill", ["reflect", "nearest", "constant"])
@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(st.lists(st.floats(-2, 2), min_size=4, max_size=4), st.data())
def test_resample_equals_the_slow_one(fill, matrix, more):
    shifts = more.draw(st.lists(st.floats(-40, 40), min_size=2, max_size=2))
    transform = np.column_stack([np.reshape(matrix, (2, 2)), shifts])
    image = smooth_picture(7, 9)
    ours = augment.resample(tf.constant(image), tf.constant(transform), fill)
    expected = slow_resample(image.astype(float), transform, fill)
    # Single precision puts a far coordinate up to 1e-5 of a pixel off.
    np.testing.assert_allclose(ours, expected, atol=0.02)


def test_resample_equals_tensorflow():
    """The stock operator, for one transformation of all kinds at once."""
    image = smooth_picture(40, 50)
    options = data.Augment(flip=True, rotate=40, zoom=0.3, shear=20, translate=0.2)
    random = draw(flip=0.2, rotate=0.9, zoom=0.1, shear=0.8, translate_x=0.8)
    transform = augment.affine_transform(options, random, 40, 50)
    for fill in ("reflect", "nearest", "constant"):
        expected = tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.cast(image[None], tf.float32),
            transforms=tf.cast(
                tf.reshape(tf.pad(transform, [[0, 1], [0, 0]]), (1, 9)), tf.float32
            )[:, :8],
            output_shape=[40, 50],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode=fill.upper(),
        )[0]
        ours = augment.resample(tf.constant(image), transform, fill)
        np.testing.assert_allclose(ours, expected, atol=0.05)


@pytest.mark.parametrize(
    ("options", "values", "expected"),
    [
        ({"flip": True}, {"flip": 0.4}, lambda p: p[:, ::-1]),
        ({"flip": True}, {"flip": 0.6}, lambda p: p),
        ({"flip": True, "rotate": 1}, {"flip": 0.4}, lambda p: p[:, ::-1]),
        ({"rotate": 90}, {"rotate": 1.0}, lambda p: np.rot90(p, -1)),  # clockwise
        ({"rotate": 90}, {"rotate": 0.0}, lambda p: np.rot90(p, 1)),
        ({"rotate": 180}, {"rotate": 1.0}, lambda p: p[::-1, ::-1]),
        ({"translate": 0.5}, {"translate_x": 1.0}, lambda p: np.roll(p, 4, 1)),
        ({"translate": 0.5}, {"translate_y": 0.25}, lambda p: np.roll(p, -2, 0)),
        ({"zoom": 0.5, "shear": 9, "rotate": 9}, {}, lambda p: p),
    ],
)
def test_pencil_geometry(options, values, expected):
    """Quarter turns, mirrors and whole-pixel shifts move 8 x 8 pixels exactly."""
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    changed = change(image, options, **values)
    expected = expected(image)
    if "translate" in options:  # the border is filled, not rolled
        rows = slice(0, 6) if "translate_y" in values else slice(None)
        columns = slice(4, 8) if "translate_x" in values else slice(None)
        changed, expected = changed[rows, columns], expected[rows, columns]
    np.testing.assert_allclose(changed, expected, atol=1e-3)


def test_zoom_is_a_scale_about_the_centre():
    """Zoomed by 1.5, a square of 4 x 4 pixels covers 6 x 6; by 0.5, 2 x 2."""
    image = np.zeros((12, 12, 1), np.uint8)
    image[4:8, 4:8] = 100
    options = {"zoom": 0.5, "fill": "constant"}
    larger = change(image, options, zoom=1.0)
    smaller = change(image, options, zoom=0.0)
    assert larger.sum() == pytest.approx(100 * 36)
    assert smaller.sum() == pytest.approx(100 * 4)
    for changed in (larger, smaller):
        np.testing.assert_allclose(changed, changed[::-1, ::-1], atol=1e-3)


def test_shear_moves_rows():
    """45 degrees: a row d pixels below the centre moves d pixels to the right."""
    image = smooth_picture(9, 9)
    changed = change(image, {"shear": 45}, shear=1.0)
    for row in range(9):
        shift = row - 4
        here = slice(max(shift, 0), 9 + min(shift, 0))
        there = slice(max(-shift, 0), 9 + min(-shift, 0))
        np.testing.assert_allclose(
            changed[row, here], image[row, there], atol=0.01, err_msg=f"{row}"
        )


# Colour.


def test_brightness_contrast_saturation_by_hand():
    """A grey and a red pixel; with both, the mean grey is (100 + 0.299 * 200) / 2."""
    image = np.array([[[100, 100, 100], [200, 0, 0]]], np.uint8)
    grey = 0.299 * 200
    bright = change(image, {"brightness": 0.4}, brightness=1.0)
    np.testing.assert_allclose(bright, [[[140] * 3, [255, 0, 0]]], atol=0.01)
    mean = (100 + grey) / 2
    flat = change(image, {"contrast": 1.0}, contrast=0.0)
    np.testing.assert_allclose(flat, np.full((1, 2, 3), mean), atol=0.01)
    half = change(image, {"contrast": 0.5}, contrast=0.0)
    np.testing.assert_allclose(half, image / 2 + mean / 2, atol=0.01)
    dull = change(image, {"saturation": 1.0}, saturation=0.0)
    np.testing.assert_allclose(dull, [[[100] * 3, [grey] * 3]], atol=0.2)


def test_grey_images_are_only_brightened():
    image = np.array([[[100], [40]]], np.uint8)
    options = {"brightness": 0.5, "saturation": 1.0, "hue": 0.5}
    changed = change(image, options, brightness=1.0, hue=0.9, saturation=0.1)
    np.testing.assert_allclose(changed[..., 0], [[150, 60]], atol=0.01)


def test_hue_turns_the_colour_circle():
    """A third of a turn brings red's hue to green's; luma and grey stay."""
    image = np.array([[[130, 110, 110], [90, 90, 90]]], np.uint8)
    for uniform, expected in ((5 / 6, 1 / 3), (1 / 6, 2 / 3)):
        changed = change(image, {"hue": 0.5}, hue=uniform)
        hue = colorsys.rgb_to_hsv(*changed[0, 0])[0]
        assert min(abs(hue - h) for h in (1 / 3, 2 / 3)) < 0.06
        assert changed[0, 0] @ augment._GREY == pytest.approx(
            image[0, 0] @ augment._GREY, abs=0.01
        )
        np.testing.assert_allclose(changed[0, 1], 90, atol=0.01)
        assert abs(hue - expected) < 0.06 or abs(hue - (1 - expected)) < 0.06


# Cut-outs and crops.


def test_cutout():
    """A quarter of 8 pixels around (0.5, 0.25): rows 3 and 4, columns 1 and 2."""
    image = np.zeros((8, 8, 3), np.uint8)
    changed = change(image, {"cutout": 0.25}, cutout_y=0.5, cutout_x=0.25)
    expected = np.zeros((8, 8, 3))
    expected[3:5, 1:3] = 128
    np.testing.assert_array_equal(changed, expected)


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(st.lists(st.floats(0, 0.999), min_size=4, max_size=4))
def test_crops_lie_inside(uniforms):
    names = ("crop_area", "crop_aspect", "crop_x", "crop_y")
    random = draw(**dict(zip(names, uniforms)))
    y, x, height, width = augment.random_crop(
        data.Augment(crop_scale=0.1), random
    ).numpy()
    assert y >= 0 and x >= 0 and y + height <= 1 + 1e-9 and x + width <= 1 + 1e-9
    assert height * width >= 0.1 * (3 / 4) - 1e-9  # one side may be cut at the border
    assert 3 / 4 - 1e-9 <= width / height <= 4 / 3 + 1e-9 or max(height, width) == 1


# The compiled function.


def test_compiled_equals_plain_and_is_in_range():
    options = data.Augment(
        flip=True,
        rotate=30,
        zoom=0.2,
        translate=0.1,
        brightness=0.4,
        contrast=0.4,
        saturation=0.4,
        hue=0.1,
        cutout=0.3,
    )
    image = tf.constant(smooth_picture(24, 32))
    key = tf.constant(random_numbers.epoch_key(0, 0))
    compiled = augment.image_changer(options, (24, 32, 3))
    assert compiled is augment.image_changer(options, (24, 32, 3))
    results = set()
    for position in range(5):
        position = tf.constant(position, tf.int64)
        ours = compiled(image, position, key)
        random = random_numbers.uniforms(key, position)
        plain = augment.change_image(options, image, random)
        np.testing.assert_allclose(ours, plain, atol=0.51)
        assert ours.dtype == tf.uint8
        results.add(ours.numpy().tobytes())
    assert len(results) == 5
    assert augment.image_changer(data.Augment(mixup=1.0), (24, 32, 3)) is None
