import numpy as np
import pytest

from kcv.metrics import detection
from kcv.metrics.detection import RIGHT, UNCOUNTED, WRONG
from kcv.metrics.voc import VocMetric

SQUARE = [0, 0, 10, 10]


def truths(boxes, classes, **more):
    return {"boxes": [np.float32(boxes)], "classes": [np.array(classes)], **more}


def detections(boxes, classes, scores):
    return {**truths(boxes, classes), "scores": [np.array(scores, "float32")]}


GOOD = truths([SQUARE], [0]), detections([SQUARE], [0], [0.5])


def matched(truth, found, iou=0.5, classes=2):
    ((truth, found),) = detection.images(truth, found, classes)
    return detection.match(truth, found, iou).tolist()


def test_the_better_of_two_detections_takes_the_object():
    truth = truths([SQUARE], [0])
    found = detections([SQUARE, [0, 0, 10, 9], SQUARE], [0, 0, 1], [0.3, 0.8, 0.9])
    assert matched(truth, found) == [WRONG, RIGHT, WRONG]


def test_a_second_detection_is_wrong_though_it_overlaps_another_object_too():
    """VOC looks at the object of most overlap alone: IoU 90 % and 82 % of 10 rows."""
    truth = truths([SQUARE, [0, 2, 10, 12]], [0, 0])
    found = detections([SQUARE, [0, 0.5, 10, 10.5]], [0, 0], [0.9, 0.8])
    assert matched(truth, found) == [RIGHT, WRONG]


@pytest.mark.parametrize(("iou", "state"), [(0.5, RIGHT), (0.51, WRONG)])
def test_an_overlap_of_just_the_threshold_is_right(iou, state):
    found = detections([[0, 0, 10, 5]], [0], [0.5])
    assert matched(truths([SQUARE], [0]), found, iou) == [state]


def test_difficult_objects_take_any_number_and_count_nothing():
    truth = truths([SQUARE, [20, 20, 30, 30]], [0, 0], crowd=np.array([[1, 0]]))
    far = [40, 40, 50, 50]
    found = detections([SQUARE, SQUARE, far], [0, 0, 0], [0.9, 0.8, 0.7])
    assert matched(truth, found) == [UNCOUNTED, UNCOUNTED, WRONG]


def test_empty_slots_may_hold_anything():
    truth = truths([[9, 9, 0, 0], SQUARE], [-1, 1])
    found = detections([SQUARE, [np.nan] * 4, SQUARE], [1, -1, -1], [0.5, np.nan, 1])
    ((truth, found),) = detection.images(truth, found, 2)
    assert truth["boxes"].tolist() == [SQUARE]
    assert found["scores"] == [0.5]
    assert detection.match(truth, found, 0.5).tolist() == [RIGHT]


def test_images_without_objects_or_detections():
    none = np.zeros((1, 0, 4)), np.zeros((1, 0), int)
    nothing = {"boxes": none[0], "classes": none[1]}
    assert matched(nothing, {**nothing, "scores": none[1]}) == []
    assert matched(nothing, GOOD[1]) == [WRONG]
    assert matched(GOOD[0], {**nothing, "scores": none[1]}) == []
    assert matched({"boxes": [[]], "classes": [[]]}, GOOD[1]) == [WRONG]


@pytest.mark.parametrize(
    ("boxes", "classes", "scores", "wrong"),
    [
        ([[5, 0, 3, 4]], [0], [1], r"box \(5, 0, 3, 4\) has x2 < x1 or y2 < y1"),
        ([[0, 0, np.nan, 4]], [0], [1], "image 0 of the batch: boxes hold NaN"),
        ([SQUARE], [0], [np.nan], "scores hold NaN or infinity"),
        ([SQUARE], [2], [1], "class 2 is none of 2 classes"),
        ([SQUARE], [-2], [1], "class -2 is none of 2 classes"),
        ([SQUARE], [0.5], [1], "are no list of ids"),
        ([SQUARE], [[0]], [1], r"classes of shape \(1, 1\) are no list of ids"),
        ([SQUARE], [0, 1], [1], "2 classes but 1 boxes"),
        ([SQUARE], [0], [1, 1], "1 classes but 2 scores"),
        ([[1, 2, 3]], [0], [1], r"boxes of shape \(1, 3\), not of \(slots, 4\)"),
    ],
)
def test_malformed_detections(boxes, classes, scores, wrong):
    with pytest.raises(ValueError, match=wrong):
        matched(GOOD[0], detections(boxes, classes, scores))


def test_malformed_batches():
    with pytest.raises(ValueError, match="detections have no 'scores', only"):
        matched(GOOD[0], GOOD[0])
    with pytest.raises(ValueError, match="truths have no 'boxes', only"):
        matched({"classes": [[0]]}, GOOD[1])
    two = {key: value * 2 for key, value in GOOD[1].items()}
    with pytest.raises(ValueError, match="truths of 1 images but detections of 2"):
        matched(GOOD[0], two)


def test_precision_recall_and_f1_by_pencil():
    """Four detections, of which two right and one difficult, of three objects."""
    metric = VocMetric(classes=2)
    far = [50, 50, 60, 60]
    truth = truths([SQUARE, far, SQUARE, far], [0, 0, 1, 1],
                   crowd=[[0, 0, 0, 1]])  # fmt: skip
    found = detections(
        [SQUARE, [20, 20, 30, 30], far, SQUARE, far],
        [0, 0, 1, 1, 0],
        [0.9, 0.8, 0.7, 0.6, 0.1],
    )
    metric.update(truth, found)
    assert metric.at_score(0.5) == pytest.approx(
        {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3}
    )
    assert metric.at_score(0.85) == pytest.approx(
        {"precision": 1, "recall": 1 / 3, "f1": 1 / 2}
    )
    assert metric.at_score(0)["recall"] == 1
    assert metric.at_score(1.0) == {"precision": 0, "recall": 0, "f1": 0}
