import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from kcv.data.scenes import Config, render, sample, weak

EMPTY = np.zeros((0, 24, 32), np.uint8)


def drawn_masks(index):
    config = Config(48, 56, min_objects=2, max_objects=8, people=(0, 1))
    record = render(sample(config, "train", 4, index), {"masks", "semantic"})
    return record["masks"], record["semantic"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 100))
@example(8067, 65)  # a thin bend, where a smooth curve leaves the thing
def test_scribbles_and_points_lie_within_their_thing(index, seed):
    masks, _ = drawn_masks(index)
    curves = weak.scribbles(masks, np.random.default_rng(seed))
    points = weak.points(masks, np.random.default_rng(seed))
    assert curves.shape == masks.shape and curves.dtype == np.uint8
    assert points.shape == (len(masks), 3) and points.dtype == np.float32
    assert (curves <= masks).all()
    for mask, curve, (x, y, label) in zip(masks, curves, points):
        assert curve.any() == mask.any() == (label == 2)
        if not mask.any():
            assert x == y == 0
            continue
        assert mask[int(y), int(x)] and (x % 1, y % 1) == (0.5, 0.5)
        # One curve, in one piece, thinner than the thing.
        assert ndimage.label(curve, np.ones((3, 3)))[1] == 1
        assert curve.sum() <= max(3.0 * np.hypot(*masks.shape[1:]), 1)


def test_scribble_of_a_bar_runs_along_it():
    """A bar of 100 x 9 pixels: the curve keeps to its middle and is no dot."""
    masks = np.zeros((1, 20, 120), np.uint8)
    masks[0, 5:14, 10:110] = 1
    lengths = []
    for seed in range(20):
        curve = weak.scribbles(masks, np.random.default_rng(seed))[0]
        rows, columns = np.nonzero(curve)
        lengths.append(np.ptp(columns) + 1)
        assert np.abs(rows - 9).mean() < 1.5
        assert curve.sum() <= 1.3 * lengths[-1] + 8  # it does not go back and forth
    assert np.mean(lengths) > 40


def test_scribble_goes_around_a_hole():
    """The straight way between both sides of a ring would cross the hole."""
    y, x = np.mgrid[:41, :41] - 20
    ring = ((np.hypot(x, y) < 19) & (np.hypot(x, y) > 12)).astype(np.uint8)[None]
    for seed in range(10):
        curve = weak.scribbles(ring, np.random.default_rng(seed))[0]
        radius = np.hypot(x, y)[curve > 0]
        assert (radius > 12).all() and abs(radius.mean() - 15.5) < 1.5


def test_single_pixels_thin_lines_and_pieces():
    masks = np.zeros((4, 12, 12), np.uint8)
    masks[0, 3, 4] = 1
    masks[1, 5, 2:11] = 1
    masks[2, :4, :4] = masks[2, 8:, 8:] = 1
    masks[3] = 1
    rng = np.random.default_rng(0)
    curves, points = weak.scribbles(masks, rng), weak.points(masks, rng)
    assert curves[0].sum() == 1 and curves[0, 3, 4]
    assert points[0].tolist() == [4.5, 3.5, 2]
    assert (curves <= masks).all() and curves.any(axis=(1, 2)).all()
    assert not (curves[2, :4, :4].any() and curves[2, 8:, 8:].any())  # in one piece
    assert weak.boxes(masks)[:3].tolist() == [
        [4, 3, 5, 4],
        [2, 5, 11, 6],
        [0, 0, 12, 12],
    ]


def test_nothing_gives_nothing():
    rng = np.random.default_rng(0)
    assert weak.scribbles(EMPTY, rng).shape == EMPTY.shape
    assert weak.points(EMPTY, rng).shape == (0, 3)
    assert weak.boxes(EMPTY).shape == (0, 4)
    one = np.zeros((1, 24, 32), np.uint8)
    assert not weak.scribbles(one, rng).any()
    assert not weak.points(one, rng).any() and not weak.boxes(one).any()
    unlabelled = np.full((9, 9), 255, np.int32)
    assert not weak.tags(unlabelled, 3).any()
    assert (weak.scribble_labels(unlabelled, rng) == 255).all()


def test_random_numbers_alone_decide():
    masks, semantic = drawn_masks(1)
    for draw, truth in (
        *((weak.scribbles, masks), (weak.points, masks)),
        *((weak.scribble_labels, semantic), (weak.point_labels, semantic)),
    ):
        first, again, other = (
            draw(truth, np.random.default_rng(seed)) for seed in (3, 3, 4)
        )
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()


def test_points_are_rather_in_the_middle():
    masks = np.ones((400, 21, 21), np.uint8)
    found = weak.points(masks, np.random.default_rng(0))
    away = np.abs(found[:, :2] - 10.5).max(axis=1)
    assert away.max() > 7 and np.mean(away) < 5.5  # 7 if all pixels were alike
    np.testing.assert_allclose(found[:, :2].mean(axis=0), 10.5, atol=0.6)


@pytest.mark.parametrize("draw", [weak.scribble_labels, weak.point_labels])
def test_labels_are_those_of_the_map_and_every_region_has_one(draw):
    for index in range(6):
        _, semantic = drawn_masks(index)
        semantic[:5, :5] = 255
        kept = draw(semantic, np.random.default_rng(index))
        assert kept.shape == semantic.shape and kept.dtype == np.int32
        labelled = kept != 255
        np.testing.assert_array_equal(kept[labelled], semantic[labelled])
        assert not labelled[:5, :5].any()
        for label in np.unique(semantic[semantic != 255]):
            regions, count = ndimage.label(semantic == label)
            for region in range(1, count + 1):
                inside = regions == region
                found = (labelled & inside).sum()
                assert (found > 0) == (inside.sum() >= 9)
                if draw is weak.point_labels:
                    assert found <= 1


def test_tags():
    semantic = np.array([[0, 2], [255, 2]])
    assert weak.tags(semantic, 4).tolist() == [1, 0, 1, 0]
    with pytest.raises(ValueError, match=r"labels 0\.\.2, but num_classes=2"):
        weak.tags(semantic, 2)
    with pytest.raises(ValueError, match="labels -1"):
        weak.tags(semantic - 1, 4)
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        weak.points(semantic, np.random.default_rng(0))
