import numpy as np
import pytest

from kcv.metrics.voc import VocMetric, all_point_ap, eleven_point_ap

RNG = np.random.default_rng(0)
SQUARE, FAR = [0, 0, 10, 10], [50, 50, 60, 60]


def update(metric, objects, found):
    """Objects (box, class, difficult) and detections (box, class, score): an image."""
    boxes, classes, crowd = zip(*objects) if objects else ((), (), ())
    truths = {"boxes": [boxes], "classes": [classes], "crowd": [crowd]}
    boxes, classes, scores = zip(*found) if found else ((), (), ())
    found = {"boxes": [boxes], "classes": [classes], "scores": [scores]}
    metric.update(truths, found)


def test_average_precision_by_pencil():
    """Right, wrong, right, of two objects: precision 1 to recall 1/2, then 2/3.

    Recalls 0 to 0.5 are six of the eleven points.
    """
    recall, precision = [0.5, 0.5, 1], [1, 0.5, 2 / 3]
    assert all_point_ap(recall, precision) == pytest.approx((1 + 2 / 3) / 2)
    assert eleven_point_ap(recall, precision) == pytest.approx((6 + 5 * 2 / 3) / 11)
    metric = VocMetric(classes=1)
    update(metric, [(SQUARE, 0, 0)], [(SQUARE, 0, 0.9), (FAR, 0, 0.8)])
    update(metric, [(FAR, 0, 0)], [(FAR, 0, 0.7)])
    found = metric.result()
    assert found["ap_2010"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["ap_2007"] == pytest.approx((6 + 5 * 2 / 3) / 11)
    recalls, precisions, scores = metric.curve(0)
    np.testing.assert_allclose(recalls, recall)
    np.testing.assert_allclose(precisions, precision)
    np.testing.assert_allclose(scores, [0.9, 0.8, 0.7])


def test_a_recall_of_three_tenths_reaches_the_fourth_point():
    """3 / 10 is less than 3 * 0.1 in floating point."""
    assert eleven_point_ap(np.arange(1, 4) / 10, [1, 1, 1]) == pytest.approx(4 / 11)


def test_classes_without_objects_have_no_part_in_the_mean():
    metric = VocMetric(classes=3)
    assert metric.result() == {"ap_2007": -1, "ap_2010": -1}
    update(metric, [(SQUARE, 0, 0), (FAR, 2, 1)], [(SQUARE, 0, 1), (SQUARE, 1, 1)])
    assert metric.average_precisions().tolist() == [1, -1, -1]
    assert metric.result() == {"ap_2007": 1, "ap_2010": 1}
    assert metric.curve(1)[0].shape == (0,)
    metric.reset()
    update(metric, [(SQUARE, 0, 0)], [])
    assert metric.result() == {"ap_2007": 0, "ap_2010": 0}


def slow_overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def slow_hits(scenes, label, iou):
    """The development kit's loop: all detections of a class by score, one by one."""
    ranked = [
        (score, index, box)
        for index, (_, found) in enumerate(scenes)
        for box, kind, score in found
        if kind == label
    ]
    ranked.sort(key=lambda item: -item[0])
    used, hits = set(), []
    for _, index, box in ranked:
        best, at = -1.0, None
        for slot, (other, kind, difficult) in enumerate(scenes[index][0]):
            if kind == label and slow_overlap(box, other) > best:
                best, at = slow_overlap(box, other), (index, slot, difficult)
        if best < iou:
            hits.append(False)
        elif not at[2]:
            hits.append(at not in used)
            used.add(at)
    return hits


def slow_precisions(hits, count):
    """VOC 2007 and 2010 from their definitions, counting alone."""
    points = [
        (sum(hits[:rank]), sum(hits[:rank]) / rank) for rank in range(1, len(hits) + 1)
    ]

    def best(enough):
        return max([p for right, p in points if enough(right)], default=0)

    eleven = [best(lambda right, i=i: 10 * right >= i * count) for i in range(11)]
    area = [best(lambda right, k=k: right >= k) for k in range(1, count + 1)]
    return sum(eleven) / 11, sum(area) / count


def random_scene():
    """Up to four objects; detections near them and anywhere, some of another class."""
    low = RNG.uniform(0, 30, (RNG.integers(0, 5), 2))
    boxes = np.concatenate([low, low + RNG.uniform(5, 20, low.shape)], axis=1)
    objects = [(box, RNG.integers(3), RNG.random() < 0.2) for box in boxes]
    found = []
    for box, kind, _ in objects + objects:
        moved = box + RNG.normal(0, 2, 4)
        moved = np.concatenate([moved[:2], np.maximum(moved[2:], moved[:2])])
        kind = kind if RNG.random() < 0.8 else RNG.integers(3)
        found.append((moved, kind, RNG.random()))
    return objects, [*found, ([0, 0, 15, 15], RNG.integers(3), RNG.random())]


@pytest.mark.parametrize("iou", [0.3, 0.5, 0.75])
def test_equals_the_slow_reference(iou):
    scenes = [random_scene() for _ in range(40)]
    metric = VocMetric(classes=3, iou=iou)
    for objects, found in scenes:
        update(metric, objects, found)
    for label in range(3):
        count = sum(o[1] == label and not o[2] for scene, _ in scenes for o in scene)
        wanted = slow_precisions(slow_hits(scenes, label, iou), count)
        assert 0 < wanted[1] < 1
        eleven = metric.average_precisions(eleven_point_ap)[label]
        area = metric.average_precisions(all_point_ap)[label]
        assert (eleven, area) == pytest.approx(wanted)


def test_a_malformed_batch_leaves_nothing_behind():
    metric = VocMetric(classes=1)
    good = {"boxes": [[SQUARE]], "classes": [[0]], "scores": [[1.0]]}
    two = {"boxes": [[SQUARE]] * 2, "classes": [[0], [4]]}
    both = {key: value * 2 for key, value in good.items()}
    with pytest.raises(ValueError, match="class 4 is none of 1"):
        metric.update(two, both)
    assert metric.result()["ap_2010"] == -1


@pytest.mark.parametrize(("classes", "iou"), [(0, 0.5), (2, 0), (2, 1.5)])
def test_arguments(classes, iou):
    with pytest.raises(ValueError, match=f"classes={classes} and iou={iou} must be"):
        VocMetric(classes, iou)
