"""Masks and keypoints of detections: chosen, put into images, judged and learned."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval, Params

from kcv import zoo
from kcv.models.detection.mask_rcnn import mask_rcnn
from kcv.train import detector, instances

SIDE = 64


def outputs_of(proposals, kinds, classes=2):
    """Proposals that are surely of a class, and not moved; the masks tell who is who.

    Mask (proposal i, class c) is a probability of (1 + 2 i + c) / 10 everywhere.
    """
    count = len(proposals)
    scores = np.full((1, count, 1 + classes), -9.0, "float32")
    for i, (kind, logit) in enumerate(kinds):
        scores[0, i, 1 + kind] = logit
    levels = (1 + np.arange(classes * count, dtype="float32")) / 10
    logits = np.log(levels / (1 - levels)).reshape(1, count, 1, 1, classes)
    return {
        "scores": scores,
        "offsets": np.zeros((1, count, classes, 4), "float32"),
        "proposals": np.float32([proposals]),
        "mask_boxes": np.float32([proposals]) + 1,
        "masks": np.broadcast_to(logits, (1, count, 4, 4, classes)).astype("float32"),
    }


def decoding_of(name="mask_rcnn"):
    return detector.decoding_of(zoo.entry(name), (SIDE, SIDE, 3))


def test_a_detection_has_the_mask_of_its_proposal_and_class():
    """The first proposal is suppressed by the second, the third is of class 0."""
    proposals = [[10, 10, 30, 30], [11, 10, 31, 30], [40, 40, 60, 50]]
    outputs = outputs_of(proposals, [(1, 3.0), (1, 5.0), (0, 4.0)])
    found = detector.detect(decoding_of(), outputs, score_threshold=0.5, most=4)
    np.testing.assert_array_equal(found["classes"], [[1, 0, -1, -1]])
    masks = np.asarray(found["box_masks"])
    assert masks.shape == (1, 4, 4, 4)
    expected = [(1 + 2 * 1 + 1) / 10, (1 + 2 * 2 + 0) / 10, 0, 0]
    np.testing.assert_allclose(masks[0, :, 0, 0], expected, atol=1e-6)
    expected = np.array([proposals[1], proposals[2]]) + 1
    np.testing.assert_array_equal(found["mask_boxes"][0, :2], expected)
    np.testing.assert_array_equal(found["mask_boxes"][0, 2:], 0)


def test_keypoints_are_in_the_middle_of_the_best_bin():
    """Of 4 x 4 bins on 8 x 16 pixels: a bin is 2 x 4, the last one ends at the box."""
    outputs = outputs_of([[3, 4, 11, 20], [40, 40, 60, 50]], [(0, 5.0), (0, -9.0)])
    heat = np.zeros((1, 2, 4, 4, 3), "float32")
    for keypoint, (row, column) in enumerate([(0, 0), (3, 3), (1, 2)]):
        heat[0, 0, row, column, keypoint] = 1
    outputs.pop("masks")
    outputs["keypoints"] = heat
    found = detector.detect(decoding_of(), outputs, score_threshold=0.5, most=2)
    expected = [[5, 7, 2], [11, 19, 2], [9, 11, 2]]  # the box begins at (4, 5)
    np.testing.assert_allclose(found["keypoints"][0, 0], expected, atol=1e-5)
    np.testing.assert_array_equal(found["keypoints"][0, 1], 0)


def test_masks_are_pasted_where_their_boxes_are():
    """2 x 2 bins: the left half is the object; between the middles it fades."""
    left = np.float64([[1, 0], [1, 0]])
    boxes = np.float64([[2, 1, 6, 3], [2.6, 0, 6.6, 4], [0, 0, 0, 0], [-2, -2, 9, 9]])
    found = instances.pasted([left, left, left, np.ones((2, 2))], boxes, (4, 8))
    expected = np.zeros((4, 4, 8), "uint8")
    expected[0, 1:3, 2:4] = 1
    # Pixels with their middles from 2.6 on and up to 2.6 + 2, where it is a half.
    expected[1, 0:4, 3:5] = 1
    expected[3] = 1
    np.testing.assert_array_equal(found, expected)


def test_what_is_cut_out_is_pasted_back():
    """A circle, cut into 28 x 28 bins as in training."""
    from kcv.layers.instance_targets import mask_targets

    y, x = np.indices((SIDE, SIDE)) + 0.5
    circle = ((x - 30) ** 2 + (y - 34) ** 2 < 15**2).astype("uint8")
    boxes = np.float32([[[13, 18, 47, 50]]])
    cut = mask_targets(circle[None, None], boxes, np.zeros((1, 1), int), 28)
    (found,) = instances.pasted(np.asarray(cut)[0], boxes[0], (SIDE, SIDE))
    both = (found & circle).sum() / (found | circle).sum()
    assert both > 0.96


def ellipses(shift):
    """Two images of two objects and an empty slot, all moved by `shift` pixels."""
    masks = np.zeros((2, 3, SIDE, SIDE), "uint8")
    boxes = np.zeros((2, 3, 4))
    y, x = np.indices((SIDE, SIDE)) + 0.5
    for i, k in np.ndindex(2, 2):
        cx, cy, rx, ry = 16 + 28 * k + shift * (1 + i), 30 - 4 * i, 9 + k, 14 + i
        masks[i, k] = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
        boxes[i, k] = cx - rx, cy - ry, cx + rx, cy + ry
    along = np.linspace(0.2, 0.8, 5)[:, None]
    points = boxes[..., None, :2] + along * (
        boxes[..., None, 2:] - boxes[..., None, :2]
    )
    points = np.concatenate([points, np.full((2, 3, 5, 1), 2)], axis=-1)
    classes = np.array([[0, 1, -1], [1, 1, -1]])
    return {"boxes": boxes, "classes": classes, "masks": masks, "keypoints": points}


def coco_says(kind, truths, found, sigmas):
    """AP, AP50 and AP75 of pycocotools, given COCO's own tables."""
    tables = []
    for own in (truths, found):
        rows = []
        for i, k in np.argwhere(own["classes"] >= 0).tolist():
            x1, y1, x2, y2 = own["boxes"][i, k].tolist()
            runs = coco_mask.encode(np.asfortranarray(own["masks"][i, k]))
            row = {
                "id": len(rows) + 1, "image_id": i, "iscrowd": 0, "num_keypoints": 5,
                "category_id": int(own["classes"][i, k]) + 1, "segmentation": runs,
                "keypoints": own["keypoints"][i, k].ravel().tolist(),
                "bbox": [x1, y1, x2 - x1, y2 - y1], "score": 0.9 - 0.1 * len(rows),
                "area": (x2 - x1) * (y2 - y1) if kind == "keypoints"
                else float(coco_mask.area(runs)),
            }  # fmt: skip
            rows.append(row)
        tables.append(rows)
    images = [{"id": i, "height": SIDE, "width": SIDE} for i in range(2)]
    names = [{"id": k, "name": str(k)} for k in (1, 2)]
    coco, answers = COCO(), COCO()
    for table, rows in ((coco, tables[0]), (answers, tables[1])):
        table.dataset = {"images": images, "annotations": rows, "categories": names}
        table.createIndex()
    whole = COCOeval(coco, answers, {"masks": "segm"}.get(kind, kind))
    whole.params.kpt_oks_sigmas = sigmas
    whole.evaluate()
    whole.accumulate()
    whole.summarize()
    return whole.stats[:3]


@pytest.mark.parametrize(("kind", "shift"), [("masks", 1.5), ("keypoints", 2.0)])
def test_precisions_are_those_of_pycocotools(kind, shift):
    truths, found = ellipses(0), ellipses(shift)
    truths["crowd"] = np.zeros((2, 3))
    scores = 0.9 - 0.1 * np.arange(4).reshape(2, 2)
    found["scores"] = np.concatenate([scores, np.zeros((2, 1))], axis=1)
    found["classes"] = np.array([[0, 1, -1], [0, 1, -1]])  # one is wrong
    sigmas = np.full(5, instances.SIGMA)
    expected = coco_says(kind, truths, found, sigmas)
    batch = truths | {"images": np.zeros((2, SIDE, SIDE, 3))}
    measured = detector.average_precisions(lambda images: found, [batch], 2, (kind,))
    names = [instances.PREFIXES[kind] + name for name in detector.PRECISIONS]
    assert list(measured) == [*detector.PRECISIONS, *names]
    np.testing.assert_allclose([measured[name] for name in names], expected)
    assert 0 < expected[0] < expected[1] < 1


def test_guess_and_images_without_objects():
    """Whoever answers with the image before knows its masks and keypoints, too."""
    batch = ellipses(0) | {"crowd": np.zeros((2, 3), "uint8")}
    batch["images"] = np.zeros((2, SIDE, SIDE, 3))
    alike = {key: value[[0, 0]] for key, value in batch.items()}
    keys = ("masks", "keypoints")
    found = detector.guess([alike], 2, keys)
    assert [found[k] for k in ("mask_ap50", "keypoint_ap")] == pytest.approx([1, 1])
    assert detector.guess([batch], 2, keys)["mask_ap75"] < 0.5
    empty = alike | {"classes": np.full((2, 3), -1)}

    def answer(images):
        """A wrong detection in each white image, none in black ones."""
        outputs = outputs_of([[0, 0, *[20 * images.max()] * 2]] * 2, [(0, 9.0)] * 2)
        doubled = {key: np.concatenate([x, x]) for key, x in outputs.items()}
        return detector.detect(decoding_of(), doubled, most=3)

    white = {"images": np.ones((2, SIDE, SIDE, 3))}
    for truths, expected in ((empty, -1), (alike, 0)):  # -1: nothing to be found
        data = [truths, truths | white]
        measured = detector.average_precisions(answer, data, 2, ("masks",))
        assert len(measured) == 6 and set(measured.values()) == {expected}


def test_the_sigma_is_the_mean_of_those_of_coco():
    sigmas = Params("keypoints").kpt_oks_sigmas
    np.testing.assert_allclose(instances.SIGMA, sigmas.mean(), atol=1e-3)


def test_pairs_change_sides():
    pairs = instances.mirrored_pairs(14)
    assert pairs == ((0, 5), (1, 4), (2, 3), (6, 11), (7, 10), (8, 9))
    assert len(instances.mirrored_pairs(17)) == 8
    with pytest.raises(ValueError, match="which of 5 keypoints are .* without --flip"):
        instances.mirrored_pairs(5)


def triangles(count, seed):
    """Half squares on noise: of class 0 the lower left half, of class 1 the upper."""
    rng = np.random.default_rng(seed)
    images = rng.normal(0, 0.2, (count, SIDE, SIDE, 3)).astype("float32")
    boxes = np.zeros((count, 2, 4), "float32")
    classes = rng.integers(0, 2, (count, 2)).astype("int32")
    masks = np.zeros((count, 2, SIDE, SIDE), "uint8")
    for i, k in np.ndindex(count, 2):
        side = int(rng.integers(18, 29))
        x, y = (int(v) for v in rng.integers(0, (32 - side + 1, SIDE - side + 1)))
        x += 32 * k
        half = np.tri(side, dtype="uint8")
        half = half.T if classes[i, k] else half
        masks[i, k, y : y + side, x : x + side] = half
        images[i][masks[i, k] > 0] = (1, -1, 0.5 * k)
        boxes[i, k] = x, y, x + side, y + side
    crowd = np.zeros((count, 2), "uint8")
    return {"images": images, "boxes": boxes, "classes": classes, "masks": masks,
            "crowd": crowd}  # fmt: skip


@pytest.mark.slow
def test_masks_are_learned(tmp_path):
    """Half a box is the object: whole boxes as masks would have an IoU of 0.5."""
    keras.utils.set_random_seed(0)
    model = mask_rcnn(
        (SIDE, SIDE, 3), 2, body="mobilenet_v1", alpha=0.25, sides=(16, 24, 32),
        filters=24, units=32, proposals=8, canonical_size=224, mask_filters=16,
        convolutions=1,
    )  # fmt: skip
    row = detector.METHODS["mask_rcnn"]
    graph = row.graph(model, anchors=32, rois=16, proposals=32, candidates=64)
    decoding = decoding_of()
    losses = detector.detector_losses("mask_rcnn", decoding)
    optimizer = keras.optimizers.Adam(3e-3, clipnorm=10)

    @tf.function
    def step(batch):
        with tf.GradientTape() as tape:
            values, _ = losses(graph, batch, training=True)
            total = sum(tf.reduce_mean(value) for value in values.values())
        slopes = tape.gradient(total, graph.trainable_variables)
        optimizer.apply_gradients(zip(slopes, graph.trainable_variables))

    data = triangles(256, seed=1)
    for number in range(100):
        rows = np.arange(8 * number, 8 * number + 8) % 256
        step({key: tf.constant(value[rows]) for key, value in data.items()})
    test = triangles(24, seed=2)
    facts = {"labels": ["lower", "upper"], "pixel_range": (-1.0, 1.0)}
    history = [{"epoch": 1, "loss": 1.0, "learning_rate": 0.1}]
    places = (history, tmp_path, facts, row.keys)
    scores = detector.write_results(model, decoding, lambda: [test], *places)
    assert scores["mask_ap50"] > 0.5 and scores["mask_ap75"] > 0.2
    metrics = json.loads((tmp_path / "metrics.json").read_text())["test"]
    assert metrics["mask_ap50"] == scores["mask_ap50"]
    assert metrics["baseline_mask_ap50"] < scores["mask_ap50"] / 2
    assert min(Image.open(tmp_path / "samples.png").size) > 200
