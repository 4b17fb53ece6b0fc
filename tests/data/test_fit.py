"""Records of another size: what they say must be true of the new image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcv.data import fit

SIZES = st.tuples(st.integers(8, 60), st.integers(8, 60))


def blob_record(size, box):
    """A white rectangle on black with its box, mask, corner keypoints and maps."""
    x1, y1, x2, y2 = box
    mask = np.zeros(size, np.uint8)
    mask[y1:y2, x1:x2] = 1
    return {
        "images": np.repeat(mask[..., None] * np.uint8(255), 3, axis=-1),
        "boxes": np.array([box], np.float32),
        "classes": np.array([3], np.int32),
        "masks": mask[None],
        "semantic": mask.astype(np.int32),
        "keypoints": np.array([[[x1, y1, 2], [x2, y2, 1], [0, 0, 0]]], np.float32),
        "flow": np.tile(np.float32([2, -3]), (*size, 1)),
    }


@given(old=SIZES, new=SIZES, mode=st.sampled_from(fit.MODES), data=st.data())
@settings(max_examples=150, deadline=None)
def test_every_label_follows_the_image(old, new, mode, data):
    x1 = data.draw(st.integers(0, old[1] - 4))
    y1 = data.draw(st.integers(0, old[0] - 4))
    x2 = data.draw(st.integers(x1 + 3, old[1]))
    y2 = data.draw(st.integers(y1 + 3, old[0]))
    record = blob_record(old, (x1, y1, x2, y2))
    at = data.draw(st.tuples(st.floats(0, 1), st.floats(0, 1)))
    fitted = fit.fit(record, new, mode, at)
    assert fitted["images"].shape == (*new, 3)
    assert fitted["masks"].shape == (1, *new)
    scale, offset = fit.place(old, new, mode, at)
    corners = np.array([[x1, y1], [x2, y2]]) * scale + offset
    inside = np.clip(corners, 0, new[::-1])
    if np.all(inside[1] > inside[0]):
        np.testing.assert_allclose(fitted["boxes"][0], inside.ravel(), atol=1e-3)
        assert fitted["classes"][0] == 3
    else:
        assert fitted["classes"][0] == -1 and not fitted["boxes"].any()
    # The mask fills its box to within the pixel that rounding may cost at each side.
    found = np.argwhere(fitted["masks"][0])
    if len(found):
        low, high = found.min(axis=0)[::-1], found.max(axis=0)[::-1] + 1
        assert np.all(np.abs(low - inside[0]) <= 1)
        assert np.all(np.abs(high - inside[1]) <= 1)
    # The bright pixels of the image are those of the mask, but for its border.
    bright = fitted["images"][..., 0] > 250
    assert not np.any(bright & (fitted["masks"][0] == 0))
    np.testing.assert_allclose(
        fitted["flow"][fitted["flow"].any(axis=-1)],
        np.broadcast_to(scale * [2, -3], fitted["flow"].shape)[
            fitted["flow"].any(axis=-1)
        ],
        rtol=1e-5,
    )
    for point, corner in zip(fitted["keypoints"][0], corners):
        if point[2]:
            np.testing.assert_allclose(point[:2], corner, atol=1e-3)
    assert fitted["keypoints"][0, 0, 2] in (0, 2)
    assert not fitted["keypoints"][0, 2].any()


def test_the_same_size_changes_nothing():
    record = blob_record((12, 17), (3, 4, 9, 11))
    for mode in fit.MODES:
        fitted = fit.fit(record, (12, 17), mode)
        for key, value in record.items():
            np.testing.assert_array_equal(fitted[key], value)


def test_the_border_of_a_letterbox_is_not_labelled():
    record = blob_record((10, 20), (0, 0, 20, 10))
    record["depth"] = np.full((10, 20, 1), 4, np.float32)
    record["occlusion"] = np.zeros((10, 20, 1), np.uint8)
    fitted = fit.fit(record, (20, 20), "letterbox")
    border = np.ones((20, 20), bool)
    border[5:15] = False
    assert np.all(fitted["semantic"][border] == fit.IGNORE)
    assert np.all(fitted["semantic"][~border] == 1)
    assert not fitted["depth"][border].any() and np.all(fitted["depth"][~border] == 4)
    assert np.all(fitted["occlusion"][border] == 1)
    np.testing.assert_array_equal(fitted["flow_valid"][..., 0], ~border)
    np.testing.assert_array_equal(fitted["boxes"], [[0, 5, 20, 15]])


def test_unit_normals_and_scaled_disparity():
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(9, 9, 3)).astype(np.float32)
    record = {
        "images": np.zeros((9, 9, 3), np.uint8),
        "normals": normals / np.linalg.norm(normals, axis=-1, keepdims=True),
        "disparity": np.full((9, 9, 1), 6, np.float32),
        "frames": rng.integers(0, 255, (4, 9, 9, 3), np.uint8),
        "shading": np.full((9, 9, 1), 0.5, np.float32),
    }
    fitted = fit.fit(record, (6, 18))
    length = np.linalg.norm(fitted["normals"], axis=-1)
    np.testing.assert_allclose(length, 1, atol=1e-5)
    np.testing.assert_array_equal(fitted["disparity"], np.full((6, 18, 1), 12))
    assert fitted["frames"].shape == (4, 6, 18, 3)
    np.testing.assert_allclose(fitted["shading"], 0.5, atol=1e-6)


def test_no_objects():
    record = {
        "images": np.zeros((4, 6, 3), np.uint8),
        "boxes": np.zeros((0, 4), np.float32),
        "classes": np.zeros((0,), np.int32),
        "masks": np.zeros((0, 4, 6), np.uint8),
        "keypoints": np.zeros((0, 14, 3), np.float32),
    }
    filled = fit.fill_slots(fit.fit(record, (8, 8)), fit.Slots(objects=2))
    assert filled["masks"].shape == (2, 8, 8)
    assert filled["keypoints"].shape == (2, 14, 3)
    np.testing.assert_array_equal(filled["classes"], [-1, -1])
    assert not filled["boxes"].any()


def test_too_many_objects_lose_the_smallest_and_crowds_first():
    sides = np.array([5, 1, 9, 3, 7], np.float32)
    record = {
        "boxes": np.stack([0 * sides, 0 * sides, sides, sides], axis=1),
        "classes": np.array([0, 1, 2, 3, -1], np.int32),
        "crowd": np.array([0, 0, 1, 0, 0], np.uint8),
        "captions": np.array(["one", "two"], object),
    }
    filled = fit.fill_slots(record, fit.Slots(objects=2, captions=3))
    np.testing.assert_array_equal(filled["classes"], [0, 3])
    np.testing.assert_array_equal(filled["boxes"][:, 2], [5, 3])
    assert list(filled["captions"]) == ["one", "two", ""]
    filled = fit.fill_slots(record, fit.Slots(objects=6, captions=1))
    np.testing.assert_array_equal(filled["classes"], [0, 1, 2, 3, -1, -1])
    assert list(filled["captions"]) == ["one"]


def test_unknown_mode():
    with pytest.raises(ValueError, match="letterbox"):
        fit.place((4, 4), (8, 8), "squeeze")
