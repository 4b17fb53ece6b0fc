import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kcv.metrics import run_lengths
from kcv.metrics.coco import NAMES, CocoMetric

RNG = np.random.default_rng(0)
CLASSES, SIZE, POINTS = 5, 160, 4
SIGMAS = np.array([0.05, 0.08, 0.1, 0.03])
GAPS = [3, 7, 8, 21, 90]  # category ids in the files
TYPES = {"boxes": "bbox", "masks": "segm", "keypoints": "keypoints"}


def boxes_in(count):
    low = RNG.uniform(0, SIZE - 10, (count, 2))
    high = np.minimum(low + RNG.choice([20, 60, 140], (count, 1)), SIZE)
    return np.concatenate([low, high], axis=1)


def drawn(boxes):
    """Filled ellipses in boxes, uint8 (n, SIZE, SIZE)."""
    at = np.arange(SIZE) + 0.5
    x1, y1, x2, y2 = boxes.T[:, :, None]
    x = ((at - (x1 + x2) / 2) / np.maximum(x2 - x1, 1e-3) * 2) ** 2
    y = ((at - (y1 + y2) / 2) / np.maximum(y2 - y1, 1e-3) * 2) ** 2
    return (x[:, None, :] + y[:, :, None] <= 1).astype("uint8")


def image(count=None, slots=8, answers=20):
    """Truth and detections of one image in fixed slots; some beside the truth."""
    count = RNG.integers(0, slots) if count is None else count
    boxes = np.zeros((slots, 4))
    boxes[:count] = boxes_in(count)
    classes = np.where(
        np.arange(slots) < count, RNG.integers(0, CLASSES - 1, slots), -1
    )
    points = RNG.uniform(0, 1, (slots, POINTS, 2)) * (
        boxes[:, None, 2:] - boxes[:, None, :2]
    )
    points = points + boxes[:, None, :2]
    seen = RNG.integers(0, 3, (slots, POINTS, 1)) * (RNG.random((slots, 1, 1)) < 0.8)
    truth = {
        "boxes": boxes,
        "classes": classes,
        "crowd": RNG.random(slots) < 0.15,
        "masks": drawn(boxes),
        "keypoints": np.concatenate([points, seen], axis=2),
    }
    chosen = RNG.integers(0, max(count, 1), answers)
    moved = boxes[chosen] + RNG.normal(0, 3, (answers, 4))
    if not count:
        moved = boxes_in(answers)
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2])
    kinds = np.where(RNG.random(answers) < 0.8, classes[chosen], CLASSES - 1)
    found = {
        "boxes": moved,
        "classes": kinds,
        "scores": RNG.choice(np.linspace(0, 1, 30), answers),  # with ties
        "masks": drawn(moved),
        "keypoints": points[chosen] + RNG.normal(0, 4, (answers, POINTS, 2)),
    }
    return truth, found


def batch(images):
    return tuple(
        {key: np.stack([one[key] for one in side]) for key in side[0]}
        for side in zip(*images)
    )


def xywh(box):
    x1, y1, x2, y2 = (float(value) for value in box)
    return [x1, y1, x2 - x1, y2 - y1]


def rle(mask):
    found = coco_mask.encode(np.asfortranarray(mask))
    return {"size": found["size"], "counts": found["counts"].decode()}


def annotations(side, index, kind):
    """The COCO entries of one image, as another program would write them."""
    for slot in np.flatnonzero(side["classes"] >= 0):
        entry = {"image_id": index, "category_id": GAPS[side["classes"][slot]]}
        if kind == "boxes" or kind == "keypoints" and "crowd" in side:
            entry["bbox"] = xywh(side["boxes"][slot])
        if kind == "masks" or "crowd" in side:
            entry["segmentation"] = rle(side["masks"][slot])
        if kind == "keypoints":
            points = side["keypoints"][slot]
            if points.shape[1] == 2:
                points = np.concatenate([points, np.ones((POINTS, 1))], axis=1)
            entry["keypoints"] = points.ravel().tolist()
            entry["num_keypoints"] = int((points[:, 2] > 0).sum())
        if "crowd" in side:
            entry["iscrowd"] = int(side["crowd"][slot])
            entry["area"] = int(side["masks"][slot].sum())
        else:
            entry["score"] = float(side["scores"][slot])
        yield entry


def direct(images, kind, path):
    """COCOeval on files, all classes at once."""
    numbers = range(10, 10 + len(images))
    truths = [e for i, (t, _) in zip(numbers, images) for e in annotations(t, i, kind)]
    content = {
        "images": [{"id": i, "height": SIZE, "width": SIZE} for i in numbers],
        "categories": [{"id": i} for i in GAPS],
        "annotations": [{**e, "id": i} for i, e in enumerate(truths, start=1)],
    }
    path.write_text(json.dumps(content))
    found = [e for i, (_, f) in zip(numbers, images) for e in annotations(f, i, kind)]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(path)
        evaluation = COCOeval(coco, coco.loadRes(found), TYPES[kind])
        if kind == "keypoints":
            evaluation.params.kpt_oks_sigmas = SIGMAS
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("kind", TYPES)
def test_equals_cocoeval(kind, tmp_path, capsys):
    images = [image() for _ in range(12)] + [image(count=0)]
    wanted = direct(images, kind, tmp_path / "truths.json")
    metric = CocoMetric(kind, CLASSES, SIGMAS if kind == "keypoints" else None)
    capsys.readouterr()
    for start in range(0, len(images), 4):
        metric.update(*batch(images[start : start + 4]))
    found = metric.result()
    assert list(found) == list(NAMES[TYPES[kind]])
    assert list(found.values()) == list(wanted.stats)
    assert 0.05 < found["ap"] < 0.95
    by_class = metric.average_precisions()
    np.testing.assert_allclose(by_class[by_class > -1].mean(), found["ap"])
    assert by_class[-1] == -1  # which only detections have
    assert capsys.readouterr().out == ""
    metric.update(*batch(images[:4]))
    assert metric.result() != found
    metric.reset()
    assert set(metric.result().values()) == {-1}


def only(kind, images):
    """Batch of boxes, or masks without boxes."""
    return tuple(
        {key: side[key] for key in ("classes", "crowd", "scores", kind) if key in side}
        for side in batch(images)
    )


def test_masks_may_be_run_lengths_and_need_no_boxes():
    images = [image(count=5) for _ in range(3)]
    truths, found = only("masks", images)
    arrays = CocoMetric("masks", CLASSES)
    arrays.update(truths, found)
    codes = CocoMetric("masks", CLASSES)
    found = {**found, "masks": [[rle(m) for m in image] for image in found["masks"]]}
    codes.update(truths, found)
    assert codes.result() == arrays.result()


def test_areas_are_given_or_of_masks_or_of_boxes():
    """A box of 40 x 40 is of medium size, a mask of 900 pixels in it small."""
    box, mask = np.float32([[[0, 0, 40, 40]]]), np.zeros((1, 1, 64, 64), "uint8")
    mask[..., :30, :30] = 1
    truth = {"boxes": box, "classes": [[0]]}
    found = {**truth, "scores": [[1.0]]}
    sizes = {
        "ap_medium": {},
        "ap_small": {"masks": mask},
        "ap_large": {"areas": [[1e5]]},
    }
    for name, more in sizes.items():
        metric = CocoMetric("boxes", 1)
        metric.update({**truth, **more}, found)
        result = metric.result()
        assert {size for size in sizes if result[size] > 0.99} == {name}
        assert sum(result[size] == -1 for size in sizes) == 2


def test_nothing_detected_and_no_objects():
    truths, found = only("boxes", [image(count=3) for _ in range(2)])
    metric = CocoMetric("boxes", CLASSES)
    metric.update(truths, {**found, "classes": np.full_like(found["classes"], -1)})
    assert metric.result()["ap"] == 0
    metric.reset()
    metric.update({**truths, "classes": np.full_like(truths["classes"], -1)}, found)
    assert metric.result()["ap"] == -1


@pytest.mark.parametrize(
    ("mask", "wrong"),
    [
        ({"size": [4, 4], "counts": b"\xff\xff"}, "lengths that are damaged"),
        ({"size": [4, 4], "counts": "0o"}, "lengths that are damaged"),
        ({"size": [4, 4], "counts": b""}, "run lengths of 0 pixels"),
        ({"size": [4, 4], "counts": b"oooooooo0"}, "lengths that are damaged"),
        ({"size": [4, 4], "counts": "53"}, "of 8 pixels for a mask of 4 x 4"),
        ({"size": [4, 4], "counts": [20, -4]}, "run lengths of 16 pixels"),
        ({"size": [4, 4], "counts": [1.5, 14.5]}, "no whole number of pixels"),
        ({"size": [4], "counts": "53"}, r"run lengths of size \[4\] are damaged"),
        ({"counts": "53"}, "run lengths of size None are damaged"),
        ({"size": [4, 4], "counts": "é"}, "are damaged: 'ascii' codec"),
        (np.zeros(4), r"a mask of shape \(4,\), not of \(height, width\)"),
        (np.zeros((4, 5)), r"masks of one image are of sizes \[\(4, 4\), \(4, 5\)\]"),
    ],
)  # fmt: skip
def test_malformed_masks(mask, wrong):
    metric = CocoMetric("masks", 1)
    found = {"classes": [[0]], "scores": [[1.0]], "masks": [[mask]]}
    with pytest.raises(ValueError, match=wrong):
        metric.update({"classes": [[0]], "masks": [[np.ones((4, 4))]]}, found)
    assert metric.result()["ap"] == -1


@given(arrays("uint8", array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_run_lengths_of_any_mask(mask):
    """Ours of the pixels, pycocotools' text and plain numbers are the same."""
    wanted = coco_mask.encode(np.asfortranarray(mask != 0, "uint8"))
    text = {"size": wanted["size"], "counts": wanted["counts"].decode()}
    pixels = np.concatenate([[0], mask.T.ravel() != 0])
    edges = np.flatnonzero(np.diff(pixels))
    runs = np.diff(np.concatenate([[0], edges, [mask.size]]))
    numbers = {"size": wanted["size"], "counts": runs.tolist()}
    assert run_lengths.encode([mask, text, numbers]) == [wanted] * 3
    assert run_lengths.areas([mask, text]).tolist() == [np.count_nonzero(mask)] * 2


def test_uncompressed_run_lengths():
    code = {"size": [4, 5], "counts": [3, 5, 12]}
    mask = np.zeros(20, "uint8")
    mask[3:8] = 1
    assert run_lengths.encode([code]) == run_lengths.encode([mask.reshape(5, 4).T])


def test_malformed_keypoints():
    metric = CocoMetric("keypoints", 1, SIGMAS)
    good = {
        "classes": [[0]],
        "scores": [[1.0]],
        "keypoints": np.ones((1, 1, POINTS, 3)),
    }
    with pytest.raises(ValueError, match="truths of keypoints need 'boxes' too"):
        metric.update(good, good)
    boxes = {"boxes": np.float32([[[0, 0, 9, 9]]])}
    with pytest.raises(
        ValueError, match=r"keypoints of shape \(1, 5, 3\) in one image"
    ):
        metric.update({**good, **boxes}, {**good, "keypoints": np.ones((1, 1, 5, 3))})
    metric.update({**good, **boxes}, good)
    assert metric.result()["ap"] == pytest.approx(1)


def test_arguments():
    with pytest.raises(
        ValueError, match="kind 'segm' is none of boxes, masks, keypoints"
    ):
        CocoMetric("segm", 3)
    with pytest.raises(ValueError, match="classes=0 must be 1 or more"):
        CocoMetric("boxes", 0)
    with pytest.raises(ValueError, match="sigmas are of keypoints, not of masks"):
        CocoMetric("masks", 1, SIGMAS)
