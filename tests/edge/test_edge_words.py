"""Trees of words on a device, against those that training knows."""

import numpy as np
import pytest
import tiny_tasks

import kcv.edge
from kcv.boxes import decoding as graphs
from kcv.boxes.word_tree import SCENES, WordTree, word_tree
from kcv.edge import EdgeError, detect, words

RNG = np.random.default_rng(0)
ANCHORS = np.float32([[0, 0, 4, 4], [4, 0, 8, 4], [0, 4, 4, 8], [4, 4, 8, 8]])
# cat and dog below animal, beside plant
PARENTS, LABELS = (-1, -1, 0, 0), ["animal", "plant", "cat", "dog"]
HOW = detect.Decoding(
    "tree", "sigmoid", ANCHORS, (8, 8), stride=4, parents=PARENTS
)  # fmt: skip


def random_parents(count):
    """Of words that stand after those above them, siblings not side by side."""
    return tuple(int(RNG.integers(-1, i)) for i in range(count))


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.3, 0.5, 0.9])
def test_answers_equal_those_of_training(threshold):
    """Of scenes' tree, random trees and a single word; logits naive formulas lose."""
    for parents in (word_tree(SCENES).parents, *map(random_parents, (1, 2, 7, 40))):
        scores = RNG.normal(0, 3, (50, len(parents))).astype("float32")
        scores[::5] *= 200
        found = words.answers(scores, parents, threshold)
        expected = WordTree((), parents).answers(scores, threshold)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert np.isfinite(found).all() and found.dtype == np.float32
        if threshold:
            assert (np.count_nonzero(found, axis=1) <= 1).all()
    assert found.any()


@pytest.mark.parametrize("threshold", [0.0, 0.4])
def test_decoding_equals_that_of_training(threshold):
    outputs = {
        "scores": RNG.normal(0, 4, (4, 4)).astype("float32"),
        "offsets": RNG.normal(0, 2, (4, 4)).astype("float32"),
        "objectness": RNG.normal(0, 4, 4).astype("float32"),
    }
    decoding = HOW._replace(tree_threshold=threshold)
    boxes, found = detect.decode(decoding, outputs)
    batch = {name: value[None] for name, value in outputs.items()}
    expected = graphs.decode(graphs.Decoding(*decoding), batch)
    np.testing.assert_allclose(boxes, expected[0][0], atol=1e-4)
    np.testing.assert_allclose(found, expected[1][0], atol=1e-5)
    assert found.any()


def test_without_anchors_there_is_nothing():
    """Zero anchors, as zero words' logits of zero boxes, in both."""
    none = HOW._replace(anchors=np.zeros((0, 4), "float32"))
    outputs = {"scores": np.zeros((0, 4)), "offsets": np.zeros((0, 4)),
               "objectness": np.zeros(0)}  # fmt: skip
    for decoding in (none, none._replace(tree_threshold=0.5)):
        boxes, found = detect.decode(decoding, outputs)
        assert boxes.shape == (0, 4) and found.shape == (0, 4)
        batch = {name: value[None] for name, value in outputs.items()}
        boxes, found = graphs.decode(graphs.Decoding(*decoding), batch)
        assert boxes.shape == (1, 0, 4) and found.shape == (1, 0, 4)


def write(path, decoding, **changes):
    """A cat or a dog, at anchor 1, for every image: as likely, so an animal."""
    outputs = {
        "scores": np.float32([[0] * 4, [4, 0, 0.1, 0], [0] * 4, [0] * 4]),
        "offsets": np.zeros((4, 4), "float32"),
        "objectness": np.float32([-9, 9, -9, -9]),
    }
    how = detect.to_json(decoding) | changes
    return tiny_tasks.detector(path / "x.tflite", outputs, how, LABELS)


def test_a_file_says_how_exact_its_answers_are(tmp_path):
    """e^4 : 1 are animal and plant; e^0.1 : 1 cat and dog, so 0.52 of 0.98."""
    image = np.zeros((8, 8, 3), "uint8")
    (found,) = kcv.edge.load(write(tmp_path, HOW)).predict(image, score_threshold=0.5)
    animal, objectness = 1 / (1 + np.exp(-4)), 1 / (1 + np.exp(-9))
    expected = objectness * animal / (1 + np.exp(-0.1))
    assert (found.label, found.score) == ("cat", pytest.approx(expected, abs=1e-5))
    sure = HOW._replace(tree_threshold=0.6)
    (found,) = kcv.edge.load(write(tmp_path, sure)).predict(image)
    assert found.label == "animal"
    assert found.score == pytest.approx(objectness * animal, abs=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"parents": []},
        {"parents": [-1, -1, 0]},
        {"parents": [-1, 1, 0, 0]},
        {"parents": [3, -1, 0, 0]},
        {"parents": [-2, -1, 0, 0]},
        {"tree_threshold": 1.5},
        {"tree_threshold": -0.1},
        {"scores": "objectness"},
    ],
)
def test_files_with_no_tree(tmp_path, changes):
    with pytest.raises(EdgeError, match="in a way that this kcv does not know"):
        kcv.edge.load(write(tmp_path, HOW, **changes))


@pytest.mark.parametrize("parents", ["no list", 3, ["a"], None])
def test_files_whose_tree_is_no_list(tmp_path, parents):
    with pytest.raises(EdgeError, match="does not say how to decode boxes"):
        kcv.edge.load(write(tmp_path, HOW, parents=parents))
