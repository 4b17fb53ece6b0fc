"""SDS on squares that one can follow with a pencil."""

import numpy as np
import pytest
from rcnn_squares import squares

from kcv.classic import refinement, segments
from kcv.train import sds, sds_results
from kcv.train.rcnn_examples import read
from kcv.train.rcnn_regions import BACKGROUND, IGNORED, num_steps
from kcv.train.sds_regions import batches, labelled, read_masks

SIZE, GRID = (40, 48), 4
HOW = {"image_shape": (16, 16, 3), "pixel_range": (0.0, 1.0), "grid": GRID,
       "context": 0.0}  # fmt: skip


def rectangles(boxes):
    masks = np.zeros((len(boxes), *SIZE), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, np.asarray(boxes, int)):
        mask[y1:y2, x1:x2] = True
    return segments.from_masks(masks)


@pytest.fixture(scope="module")
def world():
    """(examples, truths, proposals): both objects, a ring, the ground."""
    examples = squares()
    truths = [rectangles(boxes) for boxes in examples.boxes]
    proposals = []
    for own in truths:
        masks = segments.whole(own, SIZE)
        ring = masks[1].copy()
        ring[22:30, 28:38] = False  # its box is the object's
        ground = ~masks.any(axis=0)
        parts = [masks[:2], ring[None], ground[None]]
        proposals.append(segments.from_masks(np.concatenate(parts)))
    return examples, truths, proposals


def test_labels_are_by_pixels_not_by_boxes(world):
    """The ring has the box of an object, and less than 0.7 of its pixels."""
    examples, truths, proposals = world
    found = labelled(examples, truths, proposals)
    size = (34 - 20) * (40 - 26)
    labels = [0, 1, 0, 1, 1, BACKGROUND]
    assert found.windows.labels.reshape(4, 6)[0].tolist() == labels
    np.testing.assert_allclose(found.overlaps[4], (size - 80) / size)
    assert found.windows.boxes[3].tolist() == found.windows.boxes[4].tolist()
    assert found.owners.reshape(4, 6)[0].tolist() == [0, 1, 0, 1, 1, -1]
    crowd = found.windows.labels.reshape(4, 6)[3].tolist()
    assert crowd[:4] == [0, IGNORED, 0, IGNORED] and crowd[5] == BACKGROUND
    np.testing.assert_array_equal(found.windows.objects[:6], [0, 1, 0, 1, 1, -1])


def test_an_image_without_objects_is_background(world):
    examples, _, proposals = world
    none = examples._replace(
        images=examples.images[:1],
        boxes=[np.zeros((0, 4), "float32")],
        classes=[np.zeros(0, "int32")],
        crowd=[np.zeros(0, bool)],
    )
    empty = [rectangles(np.zeros((0, 4)))]
    found = labelled(none, empty, proposals[:1])
    assert found.windows.labels.tolist() == [BACKGROUND] * 4
    assert not found.overlaps.any()
    assert sds_results.reached(none, empty, proposals[:1]) == 1
    (batch,) = batches(none, found, 4, (16, 16, 3), (0.0, 1.0), GRID)
    assert not np.any(batch["labels"]) and not np.any(batch["mask_classes"])
    hidden = labelled(examples, [rectangles(np.zeros((2, 4)))] * 4, proposals)
    assert hidden.windows.labels.reshape(4, 6)[0].tolist() == [IGNORED] * 2 + [-1] * 4


def test_batches_depend_on_their_position_alone(world):
    examples, truths, proposals = world
    found = labelled(examples, truths, proposals)
    options = {"positive_share": 0.5, "context": 0.0, "seed": 1}

    def made(**more):
        data = batches(
            examples, found, 8, (16, 16, 3), (0.0, 1.0), GRID, **options, **more
        )
        return list(data.as_numpy_iterator())

    whole = made(epoch=0)
    assert len(whole) == num_steps(found.windows, 8, 0.5) == 2
    for batch in whole:
        assert (batch["labels"][:4] > 0).all() and not batch["labels"][4:].any()
        exact = batch["grids"].min(axis=(1, 2)) == 1  # the objects themselves
        assert exact.any() and not exact[4:].any()
        np.testing.assert_allclose(
            batch["regions"][exact], batch["images"][exact], atol=0.01
        )
        assert (batch["mask_targets"][exact] == 1).all()
        np.testing.assert_array_equal(
            batch["mask_classes"], np.where(exact, batch["labels"], 0)
        )
    (later,) = made(epoch=0, start_step=1)
    for name, value in later.items():
        np.testing.assert_array_equal(value, whole[1][name])
    parts = made(epoch=0, replicas=(0, 2, 2))
    both = np.stack([parts[2]["regions"], parts[3]["regions"]], axis=1)
    np.testing.assert_array_equal(both.reshape(8, 16, 16, 3), whole[1]["regions"])
    turned = made(epoch=0, flip=True)
    for name in ("images", "regions", "grids"):
        mirrored = whole[0][name][:, :, ::-1]
        same = [np.array_equal(*x) for x in zip(turned[0][name], whole[0][name])]
        other = [np.array_equal(*x) for x in zip(turned[0][name], mirrored)]
        assert all(a or b for a, b in zip(same, other))


def oracle(given):
    """Says red or blue by the mean colour of the region, and masks of all cells."""
    images, grids = np.asarray(given["images"]), np.asarray(given["grids"])
    mean = images.mean(axis=(1, 2))
    full = grids.mean(axis=(1, 2)) > 0.9
    scores = np.full((len(mean), 3), -20.0)
    scores[:, 1:] = 20 * (mean[:, [0, 2]] - mean[:, [2, 0]])
    scores[~full] = (9, 0, 0)
    return {"scores": scores, "masks": np.full((len(mean), GRID, GRID, 2), 4.0)}


def test_everything_is_found_by_one_who_knows(world):
    """Crowds count neither way; the images have other numbers of proposals."""
    examples, truths, proposals = world
    few = [*proposals[:3], proposals[3][:2]]
    calls = []

    def predict(given):
        calls.append({k: x.shape for k, x in given.items()})
        return oracle(given)

    weights = refinement.COARSE_ALONE
    scores, found = sds_results.evaluate(predict, examples, truths, few, weights, HOW)
    assert scores["mask_ap50_without_refinement"] == 1
    assert scores["mask_ap50"] == 1 and scores["region_recall"] == 1
    assert all(call == calls[0] for call in calls)
    for own, shares, classes in found[:3]:
        assert len(own) == 2 and sorted(classes) == [0, 1] and shares.min() > 0.5
    little = [proposals[0][:1], *(each[:0] for each in proposals[1:])]
    scores, found = sds_results.evaluate(oracle, examples, truths, little, weights, HOW)
    assert scores["region_recall"] == 1 / 7
    np.testing.assert_allclose(scores["mask_ap50"], 26 / 101 / 2)  # one of four reds
    assert [len(own) for own, _, _ in found] == [1, 0, 0, 0]


def test_detections_suppress_those_of_their_class_alone(world):
    """The same region in two classes; and the ring, which is like the object."""
    own = world[2][0]
    logits = np.full((4, 3), -9.0)
    logits[1] = (-9, 1, 2)
    logits[2] = (-9, -9, 1)
    logits[3, 0] = logits[0, 0] = 9
    values = {"scores": logits, "masks": np.zeros((4, GRID, GRID, 2))}
    found = sds.decode(values, own, SIZE)
    # The ring's probability is the higher one; the object is left in the other class.
    assert found.classes.tolist() == [1, 0] and found.places.tolist() == [2, 1]
    assert (found.coarse == 0.5).all()
    none = sds.decode({k: x[:0] for k, x in values.items()}, own[:0], SIZE)
    assert len(none.places) == 0 and none.coarse.shape == (0, GRID, GRID)


def test_refinement_learns_to_mistrust_a_useless_coarse_mask(world):
    """All cells are 0.98 everywhere, so that the proposal tells what is object."""
    examples, truths, proposals = world
    values = sds.answers(oracle, examples.images, proposals, **HOW)
    weights = sds.learn_refinement(values, examples, truths, proposals)
    assert weights.shape == (4,) and np.isfinite(weights).all()
    ((own),) = [proposals[0][:2]]
    detected = sds.Found(
        np.arange(2), np.ones(2), np.arange(2), np.full((2, GRID, GRID), 0.98)
    )
    fine = sds.refined_masks(detected, own, examples.images[0], weights)
    truth = segments.whole(truths[0], SIZE)
    assert np.diag(segments.mask_iou(fine, truth)).min() > 0.8
    nothing = [each[:0] for each in proposals]
    values = sds.answers(oracle, examples.images, nothing, **HOW)
    found = sds.learn_refinement(values, examples, truths, nothing)
    np.testing.assert_array_equal(found, refinement.COARSE_ALONE)


def test_samples_are_drawn(world, tmp_path):
    examples, truths, _ = world
    found = [(own, np.ones(2), np.arange(2)) for own in truths]
    found[1] = (truths[1][:0], np.zeros(0), np.zeros(0, int))
    sds_results.save_samples(examples, found, tmp_path / "samples.png")
    assert (tmp_path / "samples.png").stat().st_size > 1000


def test_masks_of_scenes():
    options = {"count": 2, "draw": True}
    name = "scenes/detection_easy_64"
    examples = read(name, "train", **options)
    masks = read_masks(name, "train", **options)
    assert [len(own) for own in masks] == [len(own) for own in examples.classes]
    for own, boxes in zip(masks, examples.boxes):
        assert np.abs(own.boxes - boxes).max() <= 1.5
    with pytest.raises(ValueError, match="digits has no"):
        read_masks("digits", "train")
