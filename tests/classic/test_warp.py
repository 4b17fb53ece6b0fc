import numpy as np
import pytest
from PIL import Image

from kcv.classic.warp import FILL, warp, with_context

RNG = np.random.default_rng(0)


def noise(height=40, width=60):
    return RNG.integers(0, 256, (height, width, 3)).astype("uint8")


def test_context_by_pencil():
    """A region of 20 x 10 that becomes 12 of 16 pixels: 2 / 12 of it on each side."""
    found = with_context([[30, 20, 50, 30]], (60, 80), 2 / 16)
    np.testing.assert_allclose(
        found, [[30 - 20 / 6, 20 - 10 / 6, 50 + 20 / 6, 31 + 2 / 3]]
    )
    np.testing.assert_allclose(
        with_context([[30, 20, 50, 30]], (60, 80), 0), [[30, 20, 50, 30]]
    )


def test_what_sticks_out_is_cut_off_and_thin_boxes_have_a_pixel():
    boxes = [[-10, 0, 20, 99], [5, 5, 5, 9], [70, 10, 90, 20]]
    found = with_context(boxes, (40, 60), 0)
    np.testing.assert_allclose(
        found, [[0, 0, 20, 40], [4.5, 5, 5.5, 9], [59.5, 10, 60.5, 20]]
    )


def test_a_box_of_the_same_size_is_a_crop():
    image = noise()
    found = warp(image, [[8, 4, 24, 20], [0, 0, 16, 16]], (16, 16), context=0)
    np.testing.assert_array_equal(found[0], image[4:20, 8:24])
    np.testing.assert_array_equal(found[1], image[:16, :16])


def test_context_shows_what_is_around_and_fill_what_is_not_there():
    """16 pixels of which 2 on each side are context: at the corner they are fill."""
    image = noise()
    inside, corner = warp(image, [[8, 4, 20, 16], [0, 0, 12, 12]], (16, 16), 2 / 16)
    np.testing.assert_array_equal(inside, image[2:18, 6:22])
    np.testing.assert_array_equal(corner[2:, 2:], image[:14, :14])
    assert (corner[:2] == FILL).all() and (corner[:, :2] == FILL).all()
    np.testing.assert_array_equal(
        warp(image, [[0, 0, 12, 12]], (16, 16), 2 / 16, fill=7)[0, 0, 0], [7] * 3
    )


def test_each_side_is_stretched_on_its_own_like_the_whole_picture():
    image = noise(32, 48)
    found = warp(image, [[8, 16, 40, 24]], (24, 20), context=0)[0]
    region = Image.fromarray(image[16:24, 8:40])
    alone = np.asarray(region.resize((20, 24), Image.Resampling.BILINEAR), int)
    # At the border the resized crop lacks the neighbours that the image has.
    assert np.abs(found[2:-2, 2:-2] - alone[2:-2, 2:-2]).max() <= 1


def test_places_between_pixels():
    """A ramp of 4 levels a pixel: half a pixel to the right is 2 levels more."""
    image = np.broadcast_to(4 * np.arange(60)[:, None], (40, 60, 3)).astype("uint8")
    there, more = warp(image, [[10, 10, 26, 26], [10.5, 10, 26.5, 26]], (16, 16), 0)
    assert (more[:, 1:-1].astype(int) - there[:, 1:-1] == 2).all()


def test_no_boxes():
    assert warp(noise(), np.zeros((0, 4)), (8, 9)).shape == (0, 8, 9, 3)


@pytest.mark.parametrize(
    ("image", "box", "context", "wrong"),
    [
        (np.zeros((9, 9, 3)), [0, 0, 1, 1], 0, r"an image of float64 \(9, 9, 3\)"),
        (np.zeros((9, 9), "u1"), [0, 0, 1, 1], 0, r"an image of uint8 \(9, 9\)"),
        (np.zeros((9, 9, 3), "u1"), [0, 0, 1, 1], 0.5, "context=0.5 must be from 0"),
        (np.zeros((9, 9, 3), "u1"), [0, 0, 1, 1], -0.1, "context=-0.1 must be from 0"),
        (np.zeros((9, 9, 3), "u1"), [0, np.nan, 1, 1], 0, "box .*nan.* is not of fin"),
    ],
)
def test_malformed(image, box, context, wrong):
    with pytest.raises(ValueError, match=wrong):
        warp(image, [box], (8, 8), context)
