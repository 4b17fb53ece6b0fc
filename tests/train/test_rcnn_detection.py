import json

import keras
import numpy as np
from rcnn_squares import BLUE, RED, squares

from kcv.boxes.coding import encode
from kcv.classic.warp import warp
from kcv.models.detection.rcnn import rcnn, rcnn_classifier
from kcv.train import rcnn as detection
from kcv.train import rcnn_machines, rcnn_results
from kcv.train.rcnn_examples import chosen

RNG = np.random.default_rng(0)
SMALL = {"body": "cifar_resnet20", "units": 4}


def colours(regions):
    """A network that sees no more than the mean colour of a region."""
    mean = np.asarray(regions).mean(axis=(1, 2))
    scores = mean[:, [RED, BLUE]] - mean[:, [BLUE, RED]]
    return {"scores": scores, "offsets": np.zeros((len(mean), 2, 4), "float32")}


HOW = {"image_shape": (8, 8, 3), "pixel_range": (0.0, 1.0), "context": 0.0}


def test_answers_are_of_each_proposal_in_its_order():
    """Batches are filled up to one shape, and images may have no proposal."""
    examples, shapes = squares(), []
    proposals = [examples.boxes[0], np.zeros((0, 4)), examples.boxes[2][:1],
                 np.tile(examples.boxes[3], (200, 1))]  # fmt: skip

    def predict(regions):
        shapes.append(regions.shape)
        return {"mean": regions.mean(axis=(1, 2))}

    found = list(detection.answers(predict, examples.images, proposals, **HOW))
    assert [len(each["mean"]) for each in found] == [2, 0, 1, 400]
    assert set(shapes) == {(detection.REGIONS, 8, 8, 3)} and len(shapes) == 5
    for image, boxes, values in zip(examples.images, proposals, found):
        expected = warp(image, boxes, (8, 8), 0).mean(axis=(1, 2)) / 255
        np.testing.assert_allclose(values["mean"], expected, atol=1e-6)


def test_detections_by_pencil():
    """Two proposals of red of which one is off, one of blue, and one of grey."""
    examples = chosen(squares(), [0])
    red, blue = examples.boxes[0]
    proposals = [np.float32([red + [0, 1, 0, 1], red, blue, [20, 0, 24, 4]])]
    ((boxes, scores, classes),) = detection.detect(
        colours, examples.images, proposals, output_size=2, **HOW
    )
    np.testing.assert_array_equal(classes, [0, 1])
    np.testing.assert_allclose(boxes, [red, blue])
    np.testing.assert_allclose(scores, [1, 1], atol=0.1)  # neighbours show a little


def test_each_class_moves_its_own_boxes_within_the_image():
    proposal, truth = np.float32([[10, 10, 20, 20]]), np.float32([[12, 9, 24, 21]])
    offsets = np.zeros((1, 2, 4), "float32")
    offsets[:, 1] = encode(truth, proposal)
    values = {"scores": np.float32([[0.5, 2]]), "offsets": offsets}
    boxes, scores, classes = detection.decode(values, proposal, (20, 30))
    np.testing.assert_array_equal(classes, [1, 0])
    np.testing.assert_allclose(boxes, [[12, 9, 24, 20], [10, 10, 20, 20]], atol=1e-5)
    np.testing.assert_allclose(scores, [2, 0.5])
    boxes, scores, classes = detection.decode(values, np.zeros((0, 4)), (20, 30))
    assert (boxes.shape, scores.shape, classes.shape) == ((0, 4), (0,), (0,))
    values["scores"][:] = -1.5  # behind the margin of both
    assert len(detection.decode(values, proposal, (20, 30))[1]) == 0


def test_average_precision_by_pencil():
    """The crowd counts neither way: every object that counts is found, none else."""
    examples = squares()
    found = rcnn_results.evaluate(colours, examples, examples.boxes, HOW)
    scores, detections = found
    assert scores == {"ap50": 1, "ap50_without_regression": 1, "proposal_recall": 1}
    assert len(detections) == 4
    half = [boxes[:1] for boxes in examples.boxes]
    scores, _ = rcnn_results.evaluate(colours, examples, half, HOW)
    assert scores["ap50"] == 0.5 and scores["proposal_recall"] == 4 / 7
    nothing = [each[:0] for each in examples.boxes]
    scores, found = rcnn_results.evaluate(colours, examples, nothing, HOW)
    assert scores["ap50"] == 0 and scores["proposal_recall"] == 0


def table():
    """What is learned from squares(), of features that a pencil can follow."""
    examples = squares()
    proposals = [
        np.concatenate([boxes + [1, 0, 1, 0], [[0, 30, 6, 36]]]).astype("float32")
        for boxes in examples.boxes
    ]
    both = [np.concatenate(pair) for pair in zip(examples.boxes, proposals)]

    def predict(regions):
        mean = regions.mean(axis=(1, 2))
        return {"fc7": mean, "maps": np.concatenate([mean, mean], axis=1)}

    found = detection.answers(predict, examples.images, both, **HOW)
    return rcnn_machines.second_stage_examples(examples, proposals, found, classes=3)


def test_second_stage_examples_by_pencil():
    found = table()
    # Each image gives two objects and three proposals.
    own = np.array([[0, 1, -1, -1, -1]] * 3 + [[0, -1, -1, -1, -1]])
    np.testing.assert_array_equal(found["labels"].reshape(4, 5), own)
    overlaps = found["overlaps"].reshape(4, 5, 3)
    np.testing.assert_array_equal(overlaps[:, 0], [[1, 0, 0]] * 4)
    # A crowd is no example, but boxes on it are no negatives either.
    np.testing.assert_array_equal(overlaps[:, 1], [[0, 1, 0]] * 4)
    np.testing.assert_allclose(overlaps[:, 2, 0], 11 / 13, rtol=1e-3)
    assert not overlaps[:, 4].any()
    assert np.bincount(found["pair_classes"]).tolist() == [4, 3]
    moved = found["pair_proposals"] - found["pair_boxes"]
    np.testing.assert_array_equal(moved, [[1, 0, 1, 0]] * 7)
    assert found["pair_maps"].shape == (7, 6)


def test_no_more_pairs_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(rcnn_machines, "PAIRS", 2)
    assert np.bincount(table()["pair_classes"]).tolist() == [2, 2]


def test_machines_and_regressors_of_the_table():
    found, told = table(), []
    kernel, bias = rcnn_machines.train_machines(
        found, 1.0, on_class=lambda *x: told.append(x)
    )
    scores = found["features"] @ kernel + bias
    for label in (0, 1):
        assert scores[found["labels"] == label, label].min() > 0.8
        far = found["overlaps"][:, label] < 0.3
        assert scores[far, label].max() < -0.8
    assert (scores[:, 2] == rcnn_machines.NEVER).all()  # a class without objects
    assert [label for label, _ in told] == [0, 1, 2] and told[2][1] == []
    kernel, bias = rcnn_machines.train_regressors(found, 1.0)
    offsets = (found["pair_maps"] @ kernel + bias).reshape(-1, 3, 4)
    truth = np.asarray(encode(found["pair_boxes"], found["pair_proposals"]))
    own = offsets[np.arange(7), found["pair_classes"]]
    np.testing.assert_allclose(own, truth, atol=0.02)
    assert not offsets[:, 2].any()


def test_scale_of_features_is_of_no_account():
    """Machines are learned at one scale and told at the network's."""
    found = table()
    kernel, bias = rcnn_machines.train_machines(found, 1.0)
    found["features"] = 10 * found["features"]
    larger, same = rcnn_machines.train_machines(found, 1.0)
    np.testing.assert_allclose(10 * larger, kernel, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(same, bias, rtol=1e-3)


def test_assembled_detector_says_what_was_learned():
    classifier = rcnn_classifier((16, 16, 3), 2, **SMALL)
    net = rcnn((16, 16, 3), 2, **SMALL)
    maps = classifier.get_layer("maps").output
    machines = RNG.normal(size=(4, 2)), np.array([0.5, -0.5])
    regressors = RNG.normal(size=(maps.shape[1], 8)), np.zeros(8)
    assert rcnn_machines.assembled(net, classifier, machines, regressors) is net
    features = keras.Model(classifier.input, [classifier.get_layer("fc7").output, maps])
    images = RNG.uniform(-1, 1, (3, 16, 16, 3)).astype("float32")
    fc7, maps = map(np.asarray, features(images))
    found = net(images)
    np.testing.assert_allclose(
        found["scores"], fc7 @ machines[0] + machines[1], rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(
        np.reshape(found["offsets"], (3, 8)), maps @ regressors[0], rtol=1e-3, atol=1e-3
    )


def test_samples_are_drawn(tmp_path):
    examples = squares()
    _, found = rcnn_results.evaluate(colours, examples, examples.boxes, HOW)
    rcnn_results.save_samples(examples, found, tmp_path / "samples.png")
    assert (tmp_path / "samples.png").stat().st_size > 1000
    assert json.dumps(rcnn_results.evaluate(colours, examples, examples.boxes, HOW)[0])
