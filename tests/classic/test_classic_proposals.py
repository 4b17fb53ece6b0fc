import numpy as np
import pytest

from kcv.classic import objectness
from kcv.classic.objectness import Cues, objectness_windows, windows
from kcv.classic.proposal_recall import best_overlaps, recall
from kcv.classic.ranking import spread
from kcv.classic.selective_search import SIMILARITIES, SPACES, selective_search

RNG = np.random.default_rng(0)
METHODS = [selective_search, objectness_windows]
OBJECTS = np.float32([[10, 20, 40, 44], [60, 50, 90, 90]])


def scene(height=96, width=112):
    """Two coloured rectangles on a shaded, somewhat noisy ground."""
    image = np.mgrid[:height, :width].sum(axis=0)[..., None].repeat(3, axis=2)
    image += RNG.integers(0, 4, image.shape)
    for (x1, y1, x2, y2), hue in zip(
        OBJECTS.astype(int), ([200, 30, 40], [20, 60, 220])
    ):
        image[y1:y2, x1:x2] = hue
    return image.astype("uint8")


@pytest.mark.parametrize("method", METHODS)
def test_objects_are_reached_by_the_first_proposals(method):
    image = scene()
    boxes = method(image)
    np.testing.assert_array_equal(method(image.copy()), boxes)
    assert boxes.dtype == np.float32
    assert len(np.unique(boxes, axis=0)) == len(boxes)
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= (112, 96)).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert best_overlaps(boxes, OBJECTS, [20]).min() > 0.85


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(8, 8, 3), (9, 60, 3)])
def test_images_of_nothing_and_small_ones(method, shape):
    boxes = method(np.full(shape, 77, "uint8"))
    assert boxes.tolist()[0] == [0, 0, shape[1], shape[0]]
    assert method(RNG.integers(0, 255, shape).astype("uint8")).shape[1:] == (4,)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("image", "wrong"),
    [
        (np.zeros((9, 9, 3), "float32"), r"an image of float32 \(9, 9, 3\)"),
        (np.zeros((9, 9), "uint8"), r"an image of uint8 \(9, 9\), not of uint8"),
        (np.zeros((9, 9, 1), "uint8"), r"an image of uint8 \(9, 9, 1\)"),
        (np.zeros((9, 7, 3), "uint8"), "an image of 7 x 9 pixels is too small"),
    ],
)  # fmt: skip
def test_malformed_images(method, image, wrong):
    with pytest.raises(ValueError, match=wrong):
        method(image)


def test_selective_search_takes_strategies():
    image = scene()
    for space in SPACES:
        boxes = selective_search(image[:64, :64], ((space, 100, SIMILARITIES),))
        assert [0, 0, 64, 64] in boxes.tolist(), space
    sides = selective_search(image, min_side=30)
    assert (sides[:, 2:] - sides[:, :2]).min() >= 30
    assert len(selective_search(image, min_side=200)) == 0


@pytest.mark.parametrize(
    ("strategies", "wrong"),
    [
        ((), "strategies are empty"),
        ((("cmyk", 50, ("size",)),), "'cmyk'.* is not made of rgb, intensity, hsv"),
        ((("rgb", 50, ("shape",)),), "'shape'.* is not made of .*colour, texture"),
        ((("rgb", 50, ()),), "is not made of"),
    ],
)
def test_unknown_strategies(strategies, wrong):
    with pytest.raises(ValueError, match=wrong):
        selective_search(scene(), strategies)


def test_numbers_of_windows():
    image = scene()
    assert len(objectness_windows(image, count=7)) == 7
    for options in ({"count": 0}, {"min_side": 3}):
        with pytest.raises(ValueError, match="must be 1 or more, and 4 or more"):
            objectness_windows(image, **options)


def test_windows_without_area_score_nothing():
    cues = Cues(scene() / 255)
    boxes = np.float32([[10, 20, 10, 44], [10, 20, 40, 20], [30, 30, 30, 30]])
    assert cues.scores(boxes).tolist() == [0, 0, 0]


def test_large_images_are_made_smaller_and_boxes_larger():
    large = scene().repeat(4, axis=0).repeat(4, axis=1)
    boxes = objectness_windows(large)
    assert best_overlaps(boxes, OBJECTS * 4, [20]).min() > 0.8
    assert boxes.max() > 4 * 96


def test_windows_are_inside_and_no_box_is_far_from_one():
    found = windows(64, 96, 12)
    assert (found[:, :2] >= 0).all() and (found[:, 2:] <= (96, 64)).all()
    low = RNG.uniform(0, (60, 30), (200, 2))
    boxes = np.concatenate([low, low + RNG.uniform(16, 32, (200, 2))], axis=1)
    assert best_overlaps(found, boxes, [len(found)]).min() > 0.5
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 0


def test_cues_by_pencil():
    """A red square of 20 on blue: itself, half of it, and a window far away."""
    image = np.zeros((60, 60, 3))
    image[..., 2] = 1
    image[20:40, 20:40] = (1, 0, 0)
    cues = Cues(image)
    boxes = np.float32([[20, 20, 40, 40], [20, 20, 30, 40], [2, 2, 8, 8]])
    # The second cuts the square into halves; the third takes 36 of 3,200 blue pixels.
    np.testing.assert_allclose(cues.whole(boxes), [1, 0, 0])
    # Around the second, 30 x 40 pixels: 200 red of 15 x 30 - 200 = 300 or so.
    contrast = cues.contrast(boxes)
    assert contrast[0] == 1 and contrast[2] == 0 and 0 < contrast[1] < 1
    np.testing.assert_allclose(cues.scores(boxes), [1, 0, 0])


def test_sums_equal_counting_pixels():
    labels = RNG.integers(0, 5, (30, 40))
    table = objectness._summed(labels, 5)
    corners = np.sort(RNG.integers(0, 31, (50, 2, 2)), axis=1)
    boxes = corners.reshape(-1, 4).astype("float32")
    found = objectness._counted(table, boxes)
    for (x1, y1, x2, y2), row in zip(boxes.astype(int), found):
        wanted = np.bincount(labels[y1:y2, x1:x2].ravel(), minlength=5)
        np.testing.assert_array_equal(row, wanted)


def test_refinement_only_raises_scores():
    cues = Cues(scene() / 255)
    boxes = windows(96, 112, 12)[::40]
    before = cues.scores(boxes)
    moved, after = cues.refined(boxes, before)
    assert (after >= before).all() and (after > before).mean() > 0.2
    np.testing.assert_array_equal(cues.scores(moved), after)
    assert (moved[:, 2:] > moved[:, :2]).all()


def test_boxes_like_a_better_one_come_last():
    """The second is nine tenths of the first, the fourth half of the third."""
    boxes = [[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10], [20, 0, 30, 5]]
    assert spread(boxes, [0.9, 0.8, 0.2, 0.3], 0.7).tolist() == [0, 3, 2, 1]
    assert spread(np.zeros((0, 4)), np.zeros(0), 0.7).shape == (0,)


def test_recall_by_pencil():
    """Of three objects in two images, the first proposals reach one, all reach two."""
    square, far = [0, 0, 10, 10], [50, 50, 60, 60]
    proposals = [np.float32([[0, 0, 10, 6], square]), np.zeros((0, 4))]
    boxes = [np.float32([square, far]), np.float32([square])]
    found = recall(proposals, boxes, counts=[1, 2, 500], ious=[0.5, 0.7])
    np.testing.assert_allclose(found, [[1 / 3, 0], [1 / 3, 1 / 3], [1 / 3, 1 / 3]])
    assert recall(proposals + proposals[:1], [*boxes, []], [1], [0.5]) == 1 / 3


def test_malformed_recall():
    with pytest.raises(ValueError, match="proposals of 1 images, boxes of 0"):
        recall([OBJECTS], [], [1], [0.5])
    with pytest.raises(ValueError, match="none of 1 images has an object"):
        recall([OBJECTS], [OBJECTS[:0]], [1], [0.5])
    with pytest.raises(ValueError, match="0 proposals have no recall"):
        best_overlaps(OBJECTS, OBJECTS, [0, 5])
