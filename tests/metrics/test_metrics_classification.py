import numpy as np
import pytest
from sklearn import metrics as oracle

from kcv.metrics import classification as ours


@pytest.fixture
def predictions():
    """Labels, classes and untied scores; class 6 of 7 never appears as a label."""
    rng = np.random.default_rng(0)
    labels = rng.integers(6, size=500)
    scores = rng.normal(size=(500, 7)) + 1.5 * np.eye(7)[labels]
    return labels, scores.argmax(axis=1), scores


def test_confusion_matrix_by_pencil():
    """One 0 taken for 1, and one 2 taken for 0; rows are the truth."""
    matrix = ours.confusion_matrix([0, 0, 1, 2], [0, 1, 1, 0], classes=3)
    np.testing.assert_array_equal(matrix, [[1, 1, 0], [0, 1, 0], [1, 0, 0]])


def test_confusion_matrix_equals_scikit_learn(predictions):
    labels, classes, _ = predictions
    expected = oracle.confusion_matrix(labels, classes, labels=range(7))
    np.testing.assert_array_equal(ours.confusion_matrix(labels, classes, 7), expected)


def test_confusion_matrix_of_uint8_labels_does_not_wrap():
    """99 * 100 + 99 does not fit a uint8."""
    labels = np.arange(100, dtype="uint8")
    matrix = ours.confusion_matrix(labels, labels, 100)
    np.testing.assert_array_equal(matrix, np.eye(100))


def test_per_class_equals_scikit_learn(predictions):
    labels, classes, _ = predictions
    values = ours.per_class(ours.confusion_matrix(labels, classes, 7))
    expected = oracle.precision_recall_fscore_support(
        labels, classes, labels=range(7), zero_division=0
    )
    for name, wanted in zip(("precision", "recall", "f1", "support"), expected):
        np.testing.assert_allclose(values[name], wanted, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("k", [1, 2, 5, 7])
def test_top_k_equals_scikit_learn(predictions, k):
    labels, _, scores = predictions
    expected = 1.0  # scikit-learn warns for k = classes
    if k < 7:
        expected = oracle.top_k_accuracy_score(labels, scores, k=k, labels=range(7))
    assert ours.top_k_accuracy(labels, scores, k) == pytest.approx(expected)


def test_accuracy_is_top_1(predictions):
    labels, classes, scores = predictions
    expected = oracle.accuracy_score(labels, classes)
    assert ours.accuracy(labels, classes) == pytest.approx(expected)
    assert ours.top_k_accuracy(labels, scores, 1) == pytest.approx(expected)


def test_ties_do_not_flatter():
    """A model that always says the same is right for one class of four only."""
    scores = np.full((4, 4), 255, "uint8")
    assert ours.top_k_accuracy(np.arange(4), scores, k=1) == 0.25
    assert ours.top_k_accuracy(np.arange(4), scores, k=2) == 0.5


def test_empty_input():
    matrix = ours.confusion_matrix([], [], classes=3)
    np.testing.assert_array_equal(matrix, np.zeros((3, 3)))
    assert np.isnan(ours.top_k_accuracy([], np.zeros((0, 3))))
    assert np.isnan(ours.accuracy([], []))
    for value in ours.per_class(matrix).values():
        np.testing.assert_array_equal(value, np.zeros(3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.confusion_matrix([3], [0], 3), "labels hold class 3"),
        (lambda: ours.confusion_matrix([0], [-1], 3), "predictions hold class -1"),
        (lambda: ours.confusion_matrix([0, 1], [0], 3), "2 labels but 1 predictions"),
        (lambda: ours.confusion_matrix([0.5], [0], 3), "labels must be .* integers"),
        (lambda: ours.accuracy([0, 1], [0]), "2,. labels but"),
        (lambda: ours.top_k_accuracy([0], np.zeros((2, 3))), "do not fit 1 labels"),
        (lambda: ours.top_k_accuracy([0], np.zeros((1, 3)), 0), "k is 0"),
        (lambda: ours.top_k_accuracy([0], np.full((1, 3), np.nan)), "hold NaN"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
