import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from scipy import ndimage
from transform_samples import (
    H,
    W,
    box_of,
    change,
    draw,
    grid,
    homography,
    moved,
    objects,
    texture,
)

from kcv import data
from kcv.data import augment
from kcv.data.transforms import Transforms, boxes, geometry

SEEDS = st.integers(0, 2**31)
ALL = Transforms(
    flip=True,
    flip_vertical=True,
    rotate=25,
    shear=8,
    zoom=0.2,
    scale=0.2,
    translate=0.1,
    perspective=0.1,
    expand=1.5,
    crop_scale=0.6,
    min_visible=0.0,
)
STRAIGHT = ALL._replace(rotate=0, shear=0, perspective=0)
few = hypothesis.settings(max_examples=12, deadline=None)


def inner(values, margin=3):
    return values[margin:-margin, margin:-margin]


@few
@hypothesis.given(SEEDS)
def test_boxes_agree_with_the_picture(seed):
    """Labels read off the transformed picture are the transformed labels."""
    sample = objects(seed)
    out = change(ALL, sample, seed=seed)
    for mask, box, label in zip(out["masks"], out["boxes"], out["classes"]):
        np.testing.assert_array_equal(box, box_of(mask))
        assert (label >= 0) == mask.any()
        # Where the picture is not a blend of two levels it is that of the mask.
        core = ndimage.binary_erosion(mask, iterations=2)
        assert np.abs(out["images"][core] - 40.0 * (label + 1)).max(initial=0) < 1
        assert (out["semantic"][mask == 1] == label + 1).all()


@few
@hypothesis.given(SEEDS)
def test_masks_are_where_the_matrix_says(seed):
    """Each pixel of a moved disk, by the equation of the disk."""
    x, y = grid()
    disk = (x - 25) ** 2 + (y - 18) ** 2 < 10**2
    sample = {"images": np.zeros((H, W, 1), np.uint8), "masks": disk[None].astype("u1")}
    out = change(ALL, sample, seed=seed)["masks"][0]
    from_x, from_y = moved(np.linalg.inv(homography(ALL, seed=seed)), x, y)
    distance = np.hypot(from_x - 25, from_y - 18)
    known = (from_x > 0) & (from_x < W) & (from_y > 0) & (from_y < H)
    sure = known & (np.abs(distance - 10) > 1)
    np.testing.assert_array_equal(out[sure], distance[sure] < 10)
    assert not out[~known].any()


@few
@hypothesis.given(SEEDS)
def test_straight_boxes_agree_with_masks_within_a_pixel(seed):
    """Without masks, of upright rectangles that are zoomed, cropped and mirrored."""
    rng = np.random.default_rng(seed)
    given_boxes, masks = [], []
    for _ in range(3):
        x1, y1 = rng.integers(0, (W - 8, H - 8))
        x2, y2 = rng.integers((x1 + 6, y1 + 6), (W + 1, H + 1))
        masks.append(np.zeros((H, W), np.uint8))
        masks[-1][y1:y2, x1:x2] = 1
        given_boxes.append((x1, y1, x2, y2))
    images = np.zeros((H, W, 1), np.uint8)
    boxed = {"images": images, "boxes": np.array(given_boxes, np.float32)}
    from_corners = change(STRAIGHT, boxed, seed=seed)["boxes"]
    masked = change(STRAIGHT, {"images": images, "masks": np.array(masks)}, seed=seed)
    for box, mask in zip(from_corners, masked["masks"]):
        if mask.any():
            assert np.abs(box - box_of(mask)).max() <= 1
    both = change(STRAIGHT, boxed | {"masks": np.array(masks)}, seed=seed)["boxes"]
    assert np.abs(both - from_corners)[both.any(axis=1)].max(initial=0) <= 1


def test_pencil_boxes_without_masks_follow_their_corners():
    """A square of side 2 about the centre, turned by 45 degrees, gets one of 2.83."""
    sample = {
        "images": np.zeros((20, 20, 1), np.uint8),
        "boxes": np.array([(9, 9, 11, 11)], np.float32),
    }
    knobs = Transforms(rotate=45)
    half = np.sqrt(2)
    expected = [[10 - half, 10 - half, 10 + half, 10 + half]]
    np.testing.assert_allclose(change(knobs, sample, rotate=1)["boxes"], expected, 1e-5)


@pytest.mark.parametrize(("least", "kept"), [(0.24, True), (0.26, False)])
@pytest.mark.parametrize("with_masks", [True, False])
def test_pencil_dropped_by_visible_share(least, kept, with_masks):
    """Shifted right by 8 of 16 pixels, a box of columns 5 to 9 keeps one of four."""
    sample = {
        "images": np.zeros((16, 16, 1), np.uint8),
        "boxes": np.array([(5, 2, 9, 6), (0, 0, 0, 0)], np.float32),
        "classes": np.array([7, -1], np.int32),
        "crowd": np.array([1, 0], np.uint8),
        "keypoints": np.array([[(5.5, 3, 2)], [(0, 0, 0)]], np.float32),
    }
    if with_masks:
        sample["masks"] = np.zeros((2, 16, 16), np.uint8)
        sample["masks"][0, 2:6, 5:9] = 1
    knobs = Transforms(translate=0.5 - 1 / 16, min_visible=least)  # 7 pixels
    out = change(knobs, sample, translate_x=1)
    assert out["boxes"].tolist()[0] == [12, 2, 16, 6]
    knobs = Transforms(translate=10 / 16, min_visible=least)
    out = change(knobs, sample, translate_x=1)
    assert out["boxes"].tolist()[0] == ([15, 2, 16, 6] if kept else [0, 0, 0, 0])
    assert out["classes"].tolist() == [7 if kept else -1, -1]
    assert out["crowd"].tolist() == [int(kept), 0]
    assert out["keypoints"][0, 0].tolist() == ([15.5, 3, 2] if kept else [0, 0, 0])
    assert not out["boxes"][1].any()
    if with_masks:
        assert out["masks"].sum() == (4 if kept else 0)


@few
@hypothesis.given(SEEDS)
def test_keypoints_are_where_their_blobs_are(seed):
    rng = np.random.default_rng(seed)
    x, y = grid()
    points = rng.uniform((12, 10), (W - 12, H - 10), (3, 2))
    blobs = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8) for px, py in points]
    keypoints = np.column_stack([points, np.full(3, 2)])[None].astype(np.float32)
    knobs = ALL._replace(perspective=0.03)
    matrix = homography(knobs, seed=seed)
    for i, blob in enumerate(blobs):
        sample = {
            "images": (200 * blob[..., None]).astype(np.float32),
            "keypoints": keypoints,
        }
        out = change(knobs, sample, seed=seed)
        image, (px, py, visible) = out["images"][..., 0], out["keypoints"][0, i]
        expected = moved(matrix, *points[i])
        inside = 0 <= expected[0] < W and 0 <= expected[1] < H
        assert visible == (2 if inside else 0)
        whole = 8 < expected[0] < W - 8 and 8 < expected[1] < H - 8
        if whole:
            weight = image / image.sum()
            assert (
                np.abs((px - (weight * x).sum(), py - (weight * y).sum())).max() < 0.5
            )


@pytest.mark.parametrize(("vertical", "turned"), [(False, False), (True, False)])
def test_left_and_right_change_places_in_a_mirror(vertical, turned):
    """Also upside down: that is a mirror and half a turn. Twice is no mirror."""
    knobs = Transforms(flip=True, flip_vertical=vertical, keypoint_pairs=((0, 1),))
    sample = {
        "images": np.zeros((10, 20, 1), np.uint8),
        "keypoints": np.array([[(3, 4, 2), (15, 6, 1), (9, 5, 2)]], np.float32),
    }
    out = change(knobs, sample, flip=0.0, flip_vertical=1.0)["keypoints"][0]
    assert out.tolist() == [[5, 6, 1], [17, 4, 2], [11, 5, 2]]
    out = change(knobs, sample, flip=1.0, flip_vertical=1.0)["keypoints"]
    np.testing.assert_array_equal(out, sample["keypoints"])
    if vertical:
        out = change(knobs, sample, flip=0.0, flip_vertical=0.0)["keypoints"][0]
        assert out.tolist() == [[17, 6, 2], [5, 4, 1], [11, 5, 2]]


@few
@hypothesis.given(SEEDS)
def test_the_inverse_returns_the_original(seed):
    matrix = tf.constant(homography(ALL, seed=seed))
    back = geometry.invert(matrix)
    np.testing.assert_allclose(
        back @ matrix / (back @ matrix)[2, 2], np.eye(3), atol=1e-9
    )
    points = np.random.default_rng(seed).uniform((0, 0), (W, H), (50, 2))
    there = geometry.move(matrix, points)
    np.testing.assert_allclose(geometry.move(back, there), points, atol=1e-6)


def test_pixels_come_back():
    """A smooth picture, turned and zoomed, then turned and zoomed back."""
    from kcv.data.transforms import warp

    x, y = grid()
    image = texture(x, y)[None, ..., None].astype(np.float32)
    matrix = tf.constant(homography(Transforms(rotate=20, zoom=0.2), rotate=1, zoom=1))
    there = warp.images(
        image, warp.sources(geometry.invert(matrix), (H, W)), "constant"
    )
    back = warp.images(there[None], warp.sources(matrix, (H, W)), "constant")
    middle = (slice(12, -12), slice(16, -16))
    assert np.abs(back[..., 0].numpy() - image[0, ..., 0])[middle].max() < 2


@few
@hypothesis.given(SEEDS)
def test_straight_boxes_come_back(seed):
    matrix = tf.constant(homography(STRAIGHT, seed=seed))
    given_boxes = tf.constant([(3, 4, 20, 30), (0, 0, W, H)], tf.float32)
    there = boxes.move_boxes(matrix, given_boxes)
    back = boxes.move_boxes(geometry.invert(matrix), there)
    np.testing.assert_allclose(back, given_boxes, atol=1e-4)


def test_flips_are_exact():
    rng = np.random.default_rng(0)
    sample = objects(1) | {
        "images": rng.uniform(0, 255, (H, W, 3)).astype(np.float32),
        "depth": rng.uniform(1, 9, (H, W, 1)).astype(np.float32),
        "flow": rng.normal(0, 5, (H, W, 2)).astype(np.float32),
        "flow_valid": rng.integers(0, 2, (H, W, 1)).astype(np.uint8),
    }
    sample["flow"] *= sample["flow_valid"]
    knobs = Transforms(flip=True, flip_vertical=True, keypoint_pairs=((0, 1),))
    once = change(knobs, sample, flip=0.0, flip_vertical=1.0)
    for key in ("images", "semantic", "depth", "flow_valid"):
        np.testing.assert_array_equal(once[key], sample[key][:, ::-1])
    np.testing.assert_array_equal(once["masks"], sample["masks"][..., ::-1])
    np.testing.assert_array_equal(once["flow"], sample["flow"][:, ::-1] * (-1, 1))
    x1, y1, x2, y2 = sample["boxes"][:3].T
    expected = np.stack([W - x2, y1, W - x1, y2], axis=1)
    np.testing.assert_array_equal(once["boxes"][:3], expected)
    upside = change(knobs, sample, flip=1.0, flip_vertical=0.0)
    np.testing.assert_array_equal(upside["flow"], sample["flow"][::-1] * (1, -1))
    twice = change(knobs, once, flip=0.0, flip_vertical=1.0)
    for key, value in sample.items():
        if key == "keypoints":  # to the last bit of single precision
            np.testing.assert_allclose(twice[key], value, atol=1e-5)
        else:
            np.testing.assert_array_equal(twice[key], value)


def test_agrees_with_the_classifier_s_augmentation():
    """The same knobs and random numbers give `Augment`'s pixels."""
    image = np.random.default_rng(0).integers(0, 256, (H, W, 3)).astype(np.uint8)
    same = {"flip": True, "rotate": 30, "zoom": 0.3, "shear": 10, "translate": 0.2}
    same |= {"brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.1}
    same |= {"fill": "reflect", "cutout": 0.3}
    for seed in range(4):
        ours = change(Transforms(**same), {"images": image}, seed=seed)["images"]
        theirs = augment.change_image(
            data.Augment(**same), tf.constant(image), draw(seed)
        )
        difference = np.abs(ours.astype(float) - np.round(theirs))
        assert difference.mean() < 0.1


def test_middle_random_numbers_change_nothing():
    image = np.random.default_rng(0).integers(0, 256, (H, W, 3)).astype(np.uint8)
    knobs = Transforms(rotate=9, zoom=0.5, scale=0.5, shear=9, translate=0.5, expand=4)
    out = change(knobs, {"images": image})["images"]
    np.testing.assert_array_equal(out, image)


def test_pencil_crop_size_cuts_whole_pixels():
    image = np.random.default_rng(0).integers(0, 256, (10, 12, 3)).astype(np.uint8)
    sample = {"images": image, "boxes": np.array([(3, 2, 7, 9)], np.float32)}
    knobs = Transforms(crop_size=(6, 5))
    out = change(knobs, sample, crop_x=0.99, crop_y=0.0)
    np.testing.assert_array_equal(out["images"], image[:6, 7:12])
    out = change(knobs, sample, crop_x=0.3, crop_y=0.5)  # from column 2, row 2
    np.testing.assert_array_equal(out["images"], image[2:8, 2:7])
    assert out["boxes"].tolist() == [[1, 0, 5, 6]]
