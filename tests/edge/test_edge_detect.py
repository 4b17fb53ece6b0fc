import numpy as np
import pytest
import tiny_tasks
from PIL import Image

import kcv.edge
from kcv.boxes import coding
from kcv.boxes import decoding as graphs
from kcv.edge import EdgeError, detect, draw

RNG = np.random.default_rng(0)
# Four anchors of 4 x 4 pixels in an image of 8 x 8.
ANCHORS = np.float32([[0, 0, 4, 4], [4, 0, 8, 4], [0, 4, 4, 8], [4, 4, 8, 8]])
SSD = detect.Decoding("softmax", "log", ANCHORS, (8, 8), (0.1, 0.1, 0.2, 0.2))
LABELS = ["cat", "dog"]


def ssd_outputs(answers):
    """{anchor: (class, logit)} as scores, background first, and zero offsets."""
    scores = np.zeros((4, 3), "float32")
    scores[:, 0] = 8
    for anchor, (kind, logit) in answers.items():
        scores[anchor] = 0
        scores[anchor, 1 + kind] = logit
    return {"scores": scores, "offsets": np.zeros((4, 4), "float32")}


def write(path, answers, how=SSD, **changes):
    changes = {"labels": LABELS, "decoding": detect.to_json(how), **changes}
    return tiny_tasks.detector(path / "x.tflite", ssd_outputs(answers), **changes)


def test_everything_is_found_in_pixels_of_the_given_image(tmp_path):
    """40 wide and 16 high from 8 x 8: x times 5, y times 2."""
    path = write(tmp_path, {1: (1, 4.0), 2: (0, 6.0), 3: (1, -5.0)})
    detector = kcv.edge.load(path)
    assert isinstance(detector, detect.Detector)
    image = RNG.integers(0, 256, (16, 40, 3)).astype("uint8")
    first, second = detector.predict(image)
    assert (first.label, first.index, second.label) == ("cat", 0, "dog")
    np.testing.assert_allclose(first.box, (0, 8, 20, 16), atol=1e-5)
    np.testing.assert_allclose(second.box, (20, 0, 40, 8), atol=1e-5)
    assert second.score == pytest.approx(np.exp(4) / (np.exp(4) + 2), abs=1e-5)
    assert first.score == pytest.approx(np.exp(6) / (np.exp(6) + 2), abs=1e-5)
    assert detector.predict(image, score_threshold=0.996) == []
    assert len(detector.predict_batch([image, image], most=1)[1]) == 1
    assert detector.outputs(image[None, ::2, ::5])["scores"].shape == (1, 4, 3)


def test_of_overlapping_boxes_of_a_class_one_is_left(tmp_path):
    same = SSD._replace(anchors=np.float32([[0, 0, 4, 4]] * 4))
    path = write(tmp_path, {0: (0, 5.0), 1: (0, 4.0), 2: (1, 3.0)}, same)
    found = kcv.edge.load(path).predict(np.zeros((8, 8, 3), "uint8"))
    assert [thing.label for thing in found] == ["cat", "dog"]


@pytest.mark.parametrize("scores", detect.SCORES)
@pytest.mark.parametrize("offsets", ["log", "sigmoid", "roots"])
def test_decoding_equals_that_of_training(scores, offsets):
    """Two boxes a cell and three classes; logits that overflow naive formulas."""
    cells = scores == "confidence"
    outputs = {
        "scores": RNG.normal(0, 40, (2 if cells else 4, 3)),
        "offsets": RNG.normal(0, 2, (4, 4)),
        "objectness": RNG.normal(0, 40, 4),
    }
    outputs = {name: value.astype("float32") for name, value in outputs.items()}
    decoding = SSD._replace(scores=scores, offsets=offsets, stride=4)
    if scores == "tree":
        decoding = decoding._replace(parents=(-1, -1, 0))
    boxes, found = detect.decode(decoding, outputs)
    batch = {name: value[None] for name, value in outputs.items()}
    expected = graphs.decode(graphs.Decoding(*decoding), batch)
    np.testing.assert_allclose(boxes, expected[0][0], atol=1e-4)
    np.testing.assert_allclose(found, expected[1][0], atol=1e-5)
    assert np.isfinite(boxes).all() and np.isfinite(found).all()


def test_regions_have_a_box_for_each_class():
    """Of four proposals two are there; scores with the background first."""
    proposals = np.float32([[0, 0, 4, 4], [2, 1, 7, 8], [0, 0, 0, 0], [0, 0, 0, 0]])
    outputs = {
        "scores": RNG.normal(0, 2, (4, 3)).astype("float32"),
        "offsets": RNG.normal(0, 2, (4, 2, 4)).astype("float32"),
        "proposals": proposals,
    }
    decoding = SSD._replace(offsets="regions", anchors=None)
    boxes, found = detect.decode(decoding, outputs)
    assert boxes.shape == (4, 2, 4) and not found[2:].any() and found[:2].all()
    batch = {name: value[None] for name, value in outputs.items()}
    expected = graphs.decode(graphs.Decoding(*decoding), batch)
    np.testing.assert_allclose(boxes, expected[0][0], atol=1e-4)
    np.testing.assert_allclose(found, expected[1][0], atol=1e-5)


def test_a_file_of_regions(tmp_path):
    """The box of the class that is likely, from its own proposal."""
    outputs = {
        "scores": np.float32([[0, 9, 0], [9, 0, 0]]),
        "offsets": np.zeros((2, 2, 4), "float32"),
        "proposals": np.float32([[1, 2, 5, 6], [0, 0, 8, 8]]),
    }
    decoding = detect.to_json(SSD._replace(offsets="regions", anchors=None))
    path = tiny_tasks.detector(tmp_path / "x.tflite", outputs, decoding, LABELS)
    (found,) = kcv.edge.load(path).predict(np.zeros((16, 8, 3), "uint8"))
    assert found.label == "cat"
    np.testing.assert_allclose(found.box, (1, 4, 5, 12), atol=1e-5)


def test_decoded_boxes_are_those_that_were_encoded():
    truth = np.float32([[1, 1, 3, 4], [4, 1, 7, 3], [0, 5, 2, 8], [5, 5, 8, 8]])
    offsets = np.asarray(coding.encode(truth, ANCHORS, SSD.variances))
    boxes, _ = detect.decode(SSD, {"scores": np.zeros((4, 3)), "offsets": offsets})
    np.testing.assert_allclose(boxes, truth, atol=1e-4)


def test_the_names_of_kinds_are_those_of_training():
    assert (
        tuple(graphs.SCORES),
        tuple(graphs.OFFSETS),
    ) == (detect.SCORES, detect.OFFSETS)
    assert detect.Decoding._fields == graphs.Decoding._fields


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decoding": {}}, "does not say how to decode boxes .KeyError: 'anchors'"),
        ({"decoding": None}, "does not say how to decode boxes .TypeError"),
        (
            {"decoding": detect.to_json(SSD) | {"anchors": "!"}},
            "does not say how to decode boxes .Error",
        ),
        (
            {"decoding": detect.to_json(SSD._replace(scores="tea leaves"))},
            "in a way that this kcv does not know",
        ),
        (
            {"decoding": detect.to_json(SSD._replace(anchors=ANCHORS[:3]))},
            "kcv.json has 3 anchors for 4 offsets",
        ),
        (
            {"decoding": detect.to_json(SSD._replace(scores="objectness"))},
            "has the tensors 'offsets' and 'scores' and 'objectness', not",
        ),
        ({"labels": ["cat"]}, "has 1 labels for 2 classes"),
    ],
)
def test_files_that_cannot_be_decoded(tmp_path, changes, message):
    with pytest.raises(EdgeError, match=message):
        kcv.edge.load(write(tmp_path, {}, **changes))


def test_picture_has_the_boxes():
    image = Image.new("RGB", (40, 20), "white")
    things = [
        detect.Detected("cat", 0, 0.9, (10.0, 5.0, 30.0, 18.0)),
        detect.Detected("dog", 1, 0.6, (3.0, 3.0, 3.0, 3.0)),
    ]
    picture = draw.detection(image, things)
    assert picture.size == (320, 160)
    assert picture.getpixel((80, 100)) != (255, 255, 255)  # the left side, 8 times
    assert picture.getpixel((160, 100)) == (255, 255, 255)  # its inside
    assert draw.detection(image, []).getcolors() == [(320 * 160, (255, 255, 255))]
