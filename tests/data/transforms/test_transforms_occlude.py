import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from transform_samples import H, W, box_of, change, draw, homography, moved, objects

from kcv.data.transforms import Transforms, boxes, mosaic, occlude

SEEDS = st.integers(0, 2**31)
few = hypothesis.settings(max_examples=12, deadline=None)
ANY = Transforms(min_visible=0.0)


def rectangle(seed, height=H, width=W):
    rng = np.random.default_rng(seed)
    region = np.zeros((height, width, 1), bool)
    y, x = rng.integers(0, (height, width))
    region[y : y + rng.integers(1, height), x : x + rng.integers(1, width)] = True
    return region


def agrees(out):
    """The labels are those that the picture shows: object i has a level of its own."""
    out = {key: np.asarray(value) for key, value in out.items()}
    grey = out["images"][..., 0]
    for mask, box, label in zip(out["masks"], out["boxes"], out["classes"]):
        assert (label >= 0) == mask.any()
        np.testing.assert_array_equal(box, box_of(mask))
        if label >= 0:
            np.testing.assert_array_equal(grey == 40 * (label + 1), mask)


@few
@hypothesis.given(SEEDS)
def test_cutout_labels_are_what_is_left(seed):
    out = change(ANY._replace(cutout=0.5), objects(seed), seed=seed)
    agrees(out)
    hidden = out["semantic"] == 255
    assert (out["images"][hidden] == occlude.GREY).all()


@few
@hypothesis.given(SEEDS)
def test_pasted_labels_are_what_is_seen(seed):
    """The second picture's objects are told apart by their levels and classes."""
    first, second = objects(seed, slots=6, count=2), objects(seed + 1, slots=6, count=2)
    second["images"] = np.where(second["images"], second["images"] + 80, 0).astype("u1")
    second["classes"] = np.where(second["classes"] >= 0, second["classes"] + 2, -1)
    out = occlude.paste(ANY, first, second, rectangle(seed))
    agrees(out)
    seen = set(np.unique(out["images"])) - {0}
    assert {40 * (c + 1) for c in np.asarray(out["classes"]) if c >= 0} == seen


@few
@hypothesis.given(SEEDS)
def test_boxes_without_masks_shrink_to_what_is_left(seed):
    """As do the boxes around filled boxes."""
    rng = np.random.default_rng(seed)
    given = []
    for _ in range(4):
        x1, y1 = rng.integers(0, (W - 5, H - 5))
        x2, y2 = rng.integers((x1 + 4, y1 + 4), (W + 1, H + 1))
        given.append((x1, y1, x2, y2))
    region = rectangle(seed)
    for part in (region, ~region):
        left = occlude.hide_objects(ANY, {"boxes": np.float32(given)}, part)["boxes"]
        for (x1, y1, x2, y2), box in zip(given, np.asarray(left)):
            mask = np.zeros((H, W), bool)
            mask[y1:y2, x1:x2] = True
            np.testing.assert_array_equal(box, box_of(mask & ~part[..., 0]))


def test_pencil_hidden_keypoints_stay_labelled():
    sample = {
        "images": np.full((8, 8, 3), 9, np.uint8),
        "boxes": np.array([(0, 0, 8, 8)], np.float32),
        "keypoints": np.array([[(4, 4, 2), (1, 1, 2), (5, 5, 1), (0, 0, 0)]], "f4"),
    }
    out = change(Transforms(cutout=0.5), sample)
    expected = [[(4, 4, 1), (1, 1, 2), (5, 5, 1), (0, 0, 0)]]
    np.testing.assert_array_equal(out["keypoints"], expected)
    assert out["boxes"].tolist() == [[0, 0, 8, 8]]
    dropped = change(Transforms(cutout=0.5, min_visible=0.8), sample)
    assert not dropped["boxes"].any() and not dropped["keypoints"].any()


def stacked(first, second):
    return {key: np.stack([first[key], second[key]]) for key in first}


def test_mixup_blends_pictures_and_keeps_the_largest_objects():
    first, second = objects(2), objects(3)
    first["labels"], second["labels"] = np.int32(1), np.int32(8)
    pair, random = stacked(first, second), draw(mix=0.3)
    out = occlude.mix(Transforms(mixup=1.0), pair, random, False)
    share = float(out["mix"])
    assert share == pytest.approx(0.3, abs=1e-3)  # Beta(1, 1) is uniform
    blend = share * first["images"] + (1 - share) * second["images"].astype(float)
    np.testing.assert_allclose(out["images"], blend, atol=0.51)
    assert (int(out["labels"]), int(out["labels_b"])) == (1, 8)
    np.testing.assert_array_equal(out["semantic"], first["semantic"])
    np.testing.assert_array_equal(out["semantic_b"], second["semantic"])
    areas = boxes.areas(np.concatenate([first["boxes"], second["boxes"]]))
    kept = boxes.areas(np.asarray(out["boxes"]))
    np.testing.assert_array_equal(np.sort(kept), np.sort(areas)[-4:])
    alone = occlude.mix(Transforms(mixup=1.0), pair, random, True)
    assert float(alone["mix"]) == 1
    for key, value in first.items():
        np.testing.assert_array_equal(alone[key], value)


def test_cutmix_share_is_what_shows_and_a_coin_decides():
    first, second = objects(4), objects(5)
    second["images"] = np.full_like(second["images"], 255)
    first["images"] = np.zeros_like(first["images"])
    pair = stacked(first, second)
    values = {"mix": 0.6, "mix_x": 0.2, "mix_y": 0.9}
    out = occlude.mix(Transforms(cutmix=1.0), pair, draw(**values), False)
    shown = (np.asarray(out["images"]) == 0).mean()
    assert float(out["mix"]) == pytest.approx(shown) and 0 < shown < 1
    both = Transforms(cutmix=1.0, mixup=1.0)
    cut = occlude.mix(both, pair, draw(mix_kind=0.4, **values), False)
    np.testing.assert_array_equal(cut["images"], out["images"])
    np.testing.assert_array_equal(cut["semantic_b"], out["semantic"])
    blend = occlude.mix(both, pair, draw(mix_kind=0.6, **values), False)
    assert len(np.unique(blend["images"])) == 1


def test_largest_keeps_order_and_prefers_objects():
    given = {
        "boxes": np.array(
            [(0, 0, 1, 1), (0, 0, 0, 0), (0, 0, 3, 3), (0, 0, 2, 2)], "f4"
        ),
        "classes": np.array([5, -1, 6, 7], np.int32),
    }
    assert boxes.largest(given, 2)["classes"].numpy().tolist() == [6, 7]
    assert boxes.largest(given, 3)["classes"].numpy().tolist() == [5, 6, 7]


def four(seed):
    samples = []
    for i in range(4):
        sample = objects(seed + i, slots=4, count=1)
        sample["images"] = np.where(sample["images"], 40 * (i + 1), 0).astype(np.uint8)
        sample["semantic"] = np.full((H, W), i, np.int32)
        sample["classes"] = np.where(sample["classes"] >= 0, i, -1).astype(np.int32)
        samples.append(sample)
    return samples


@few
@hypothesis.given(SEEDS)
def test_mosaic_labels_are_what_is_seen(seed):
    """Turned as a whole; the label map tells which of the pictures a pixel is from."""
    knobs = ANY._replace(mosaic=1.0, rotate=20, zoom=0.1, flip=True)
    out = change(knobs, *four(seed), seed=seed)
    for mask, box, label in zip(out["masks"], out["boxes"], out["classes"]):
        assert (label >= 0) == mask.any()
        np.testing.assert_array_equal(box, box_of(mask))
        assert (out["semantic"][mask == 1] == label).all()
    assert set(np.unique(out["semantic"])) <= {0, 1, 2, 3, 255}


def test_pencil_mosaic():
    """The four meet in the middle of 8 x 8; each is seen at half its size."""
    samples = []
    for i in range(4):
        sample = {
            "images": np.full((8, 8, 3), 50 * (i + 1), np.uint8),
            "boxes": np.array([(2, 2, 8, 6), (0, 0, 0, 0)], np.float32),
            "classes": np.array([i, -1], np.int32),
            "keypoints": np.array([[(2, 4, 2)], [(0, 0, 0)]], np.float32),
        }
        samples.append(sample)
    out = change(Transforms(mosaic=1.0), *samples, mosaic=0.0)
    quarters = np.kron([[50, 100], [150, 200]], np.ones((4, 4)))
    np.testing.assert_array_equal(out["images"][..., 0], quarters)
    assert out["classes"].tolist() == [0, 1]  # two slots; all are as large
    assert out["boxes"].tolist() == [[1, 1, 4, 3], [5, 1, 8, 3]]
    assert out["keypoints"][:, 0].tolist() == [[1, 2, 2], [5, 2, 2]]
    alone = change(Transforms(mosaic=0.5), *samples, mosaic=0.9)
    for key, value in samples[0].items():
        np.testing.assert_array_equal(alone[key], value)


def test_mosaic_shows_each_picture_unstretched():
    """Places lead from the pictures to their quarters; what is seen fills them."""
    random = draw(mosaic=0.0, mosaic_x=0.9, mosaic_y=0.1)
    canvas = mosaic.random_canvas(Transforms(mosaic=1.0), random, (H, W), True)
    x, y = canvas.middle.numpy()
    quarters = [(0, 0, x, y), (x, 0, W, y), (0, y, x, H), (x, y, W, H)]
    for place, visible, quarter in zip(canvas.places, canvas.visible, quarters):
        seen = boxes.move_boxes(place, visible[None])[0]
        np.testing.assert_allclose(seen, quarter, atol=1e-9)
        assert place[0, 0] == place[1, 1]
        assert (visible.numpy() >= -1e-9).all()
        assert (visible.numpy()[2:] <= np.array([W, H]) + 1e-9).all()


def test_partners():
    who, possible = mosaic.partners(6)
    assert who.numpy()[:5].tolist() == [
        *([0, 1, 2, 3], [1, 2, 3, 0], [2, 3, 0, 1], [3, 0, 1, 2], [4, 4, 4, 4])
    ]
    assert possible.numpy().tolist() == [True] * 4 + [False] * 2


def test_homography_of_the_helpers_is_that_of_the_change():
    matrix = homography(Transforms(flip=True), flip=0.0)
    assert moved(matrix, np.array(3.0), np.array(4.0)) == (W - 3, 4)
