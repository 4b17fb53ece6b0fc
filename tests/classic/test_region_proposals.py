"""Regions as pixels: kept, compared, found, cropped and made finer."""

import numpy as np
import pytest

from kcv.classic import proposals, refinement, segments
from kcv.classic.grouping import SIMILARITIES, Regions
from kcv.classic.region_crops import coarse_target, region_crops
from kcv.classic.region_search import _agreement, region_search
from kcv.classic.selective_search import SPACES
from kcv.classic.warp import FILL, warp

RNG = np.random.default_rng(0)
TWO = (("hsv", 50, SIMILARITIES), ("lab", 50, SIMILARITIES))
OBJECTS = np.zeros((2, 48, 56), bool)
OBJECTS[0, 8:30, 6:26] = True
OBJECTS[0, 8:16, 6:14] = False  # an L upside down
OBJECTS[1, 24:44, 34:50] = True


def scene():
    """An L and a rectangle, of one colour each, on a shaded and noisy ground."""
    image = np.mgrid[:48, :56].sum(axis=0)[..., None].repeat(3, axis=2)
    image += RNG.integers(0, 4, image.shape)
    for mask, hue in zip(OBJECTS, ([200, 30, 40], [20, 60, 220])):
        image[mask] = hue
    return image.astype("uint8")


@pytest.fixture(scope="module")
def found():
    image = scene()
    return image, region_search(image, TWO)


def test_segments_keep_masks_in_few_bytes(tmp_path):
    masks = np.concatenate([OBJECTS, np.zeros((1, 48, 56), bool), RNG.random(
        (3, 48, 56)) < 0.01])  # fmt: skip
    kept = segments.from_masks(masks)
    assert kept.boxes[:3].tolist() == [[6, 8, 26, 30], [34, 24, 50, 44], [0, 0, 0, 0]]
    assert len(kept.bits[1]) == 16 * 20 / 8
    np.testing.assert_array_equal(segments.whole(kept, (48, 56)), masks)
    np.testing.assert_array_equal(segments.crop(kept, 0), masks[0, 8:30, 6:26])
    few = kept[[4, 1]]
    np.testing.assert_array_equal(segments.whole(few, (48, 56)), masks[[4, 1]])
    segments.write(tmp_path / "x.npz", [kept[:2], kept[:0], kept[2:]])
    again = segments.read(tmp_path / "x.npz")
    assert [len(each) for each in again] == [2, 0, 4]
    both = np.concatenate([segments.whole(each, (48, 56)) for each in again])
    np.testing.assert_array_equal(both, masks)
    segments.write(tmp_path / "y.npz", [kept[:0]])
    assert [len(each) for each in segments.read(tmp_path / "y.npz")] == [0]


def test_overlaps_by_pencil():
    """A square of 4 pixels and one of 9 that has 2 of them; nothing and nothing."""
    one, other = np.zeros((2, 6, 6), bool), np.zeros((2, 6, 6), bool)
    one[0, 0:2, 0:2] = other[0, 1:4, 0:3] = True
    np.testing.assert_allclose(segments.mask_iou(one, other), [[2 / 11, 0], [0, 0]])
    assert segments.mask_iou(one[:0], other).shape == (0, 2)


def test_suppressed_ones_suppress_nothing():
    """The second is like the first, the third like the second alone."""
    overlaps = np.array([[1, 0.6, 0.1], [0.6, 1, 0.6], [0.1, 0.6, 1]])
    assert segments.suppressed(overlaps, 0.5).tolist() == [False, True, False]
    assert segments.suppressed(overlaps[:0, :0], 0.5).tolist() == []


def test_regions_are_the_pixels_of_their_boxes(found):
    image, regions = found
    masks = segments.whole(regions, image.shape[:2])
    np.testing.assert_array_equal(segments.from_masks(masks).boxes, regions.boxes)
    assert len(np.unique(masks.reshape(len(masks), -1), axis=0)) == len(masks)
    assert (regions.boxes[:, 2:] - regions.boxes[:, :2]).min() >= 4
    best = segments.mask_iou(masks[:20], OBJECTS).max(axis=0)
    assert best.min() > 0.9
    again = region_search(image.copy(), TWO)
    np.testing.assert_array_equal(again.boxes, regions.boxes)
    # Each is made of first regions of one of the segmentations.
    of_space = [Regions(SPACES[s](image / 255), 50).labels for s in ("hsv", "lab")]
    for mask in masks:
        apart = [set(x[mask]) & set(x[~mask]) for x in of_space]
        assert not all(apart)


def test_first_ones_are_not_alike_and_those_all_agree_on(found):
    """Against pixels: no two of the first overlap by 0.7, and the order is that."""
    image, regions = found
    masks = segments.whole(regions, image.shape[:2])
    overlaps = segments.mask_iou(masks, masks)
    late = segments.suppressed(overlaps, 0.7)
    count = int((~late).sum())
    assert 2 < count < len(late) and not late[:count].any()
    # The sum of the most similar regions of both segmentations.
    tables, total = [], 0
    for space in ("hsv", "lab"):
        own = Regions(SPACES[space](image / 255), 50)
        boxes, parts = own.hierarchy(SIMILARITIES)
        large = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= 4
        tables.append((own.labels, boxes[large], parts[large]))
        theirs = np.stack([row[own.labels] for row in parts[large]])
        total = total + segments.mask_iou(masks, theirs).max(axis=1)
    assert (np.diff(total[:count]) <= 1e-5).all()
    found = np.sort(_agreement(tables))[::-1]
    np.testing.assert_allclose(found[0], total.max(), rtol=1e-5)


def test_proposals_of_images_are_regions():
    images = [scene(), np.full((9, 60, 3), 77, "uint8")]
    given = list(proposals.propose_regions(images, "selective_search_fast", 5))
    assert [len(each) for each in given] == [5, 1]
    assert given[1].boxes.tolist() == [[0, 0, 60, 9]]
    assert segments.crop(given[1], 0).all()
    with pytest.raises(ValueError, match="no proposals 'objectness'; known: selective"):
        list(proposals.propose_regions(images, "objectness", 5))
    with pytest.raises(ValueError, match="strategies are empty"):
        region_search(images[0], ())


def test_crops_with_and_without_background():
    image = scene()
    regions = segments.from_masks(np.concatenate([OBJECTS, np.ones((1, 48, 56))]))
    boxes, masked, grids = region_crops(image, regions, (40, 40), 10, context=0.1)
    np.testing.assert_array_equal(boxes, warp(image, regions.boxes, (40, 40), 0.1))
    # A region that fills its box leaves it as it is, but for the context.
    np.testing.assert_array_equal(masked[1, 4:36, 4:36], boxes[1, 4:36, 4:36])
    assert (masked[1, :4] == FILL).all() and (masked[1, :, 36:] == FILL).all()
    assert (grids[1:] == 1).all()
    assert (masked[0, 4:14, 4:14] == FILL).all()  # what the L lacks
    np.testing.assert_array_equal(masked[0, 20:36, 4:36], boxes[0, 20:36, 4:36])
    assert (grids[0, :3, :3] == 0).all() and (grids[0, 5:] == 1).all()
    nothing = region_crops(image, regions[:0], (40, 40), 10)
    assert [len(each) for each in nothing] == [0, 0, 0]


def test_coarse_targets_by_pencil():
    """The right half of a box that begins 10 pixels left of the object."""
    box = [24, 24, 44, 44]
    expected = np.zeros((10, 10))
    expected[:, 5:] = 1
    np.testing.assert_array_equal(coarse_target(OBJECTS[1], box, 10), expected)


def test_superpixels_make_masks_fine():
    """A coarse mask somewhat too large becomes the object, once it is known how."""
    image = np.full((48, 56, 3), 90, "uint8")
    image[OBJECTS[1]] = (20, 60, 220)
    labels = refinement.superpixels(image)
    assert not set(labels[OBJECTS[1]]) & set(labels[~OBJECTS[1]])
    shares = refinement.spread(np.full((10, 10), 0.9), [32, 22, 51, 45], (48, 56))
    assert shares[22:45, 32:51].min() > 0.89 and shares.sum() < 0.91 * 23 * 19
    figures = refinement.evidence(shares, OBJECTS[1], labels)
    np.testing.assert_allclose(figures[labels[30, 40]], [0.4, 0.5, 0.4], rtol=1e-5)
    inside, pixels = refinement.means(OBJECTS[1], labels), np.bincount(labels.ravel())
    overlaps = [
        segments.mask_iou(refinement.refined(figures, labels, weights)[None], OBJECTS)
        for weights in (
            refinement.COARSE_ALONE,
            refinement.learned(figures, inside, pixels),
        )
    ]
    assert overlaps[0][0, 1] > 0.7  # all that the coarse mask covers
    assert overlaps[1][0, 1] == 1


def test_nothing_to_learn_leaves_the_coarse_mask():
    figures = np.zeros((3, 3))
    found = refinement.learned(figures, np.ones(3), np.ones(3))
    np.testing.assert_array_equal(found, refinement.COARSE_ALONE)
