import numpy as np
import tensorflow as tf

from kcv.data import joint


def boxed(counts, slots=2):
    """Batches of so many pictures of 1 x 1; picture k has an object of class k."""
    batches, number = [], 0
    for count in counts:
        classes = np.full((count, slots), -1, "int32")
        classes[:, 0] = np.arange(number, number + count)
        number += count
        batches.append({
            "images": np.ones((count, 1, 1, 3), "float32"),
            "boxes": np.ones((count, slots, 4), "float32"),
            "classes": classes,
            "crowd": np.ones((count, slots), "uint8"),
        })  # fmt: skip
    return rows(batches)


def labelled(counts):
    return rows([
        {
            "images": np.zeros((count, 1, 1, 3), "float32"),
            "labels": np.full(count, i, "int32"),
            "boxes": np.zeros((count, 4), "float32"),
        }
        for i, count in enumerate(counts)
    ])  # fmt: skip


def rows(batches):
    """A dataset of batches that differ in size."""
    shapes = {
        k: tf.TensorSpec((None, *x.shape[1:]), x.dtype) for k, x in batches[0].items()
    }
    return tf.data.Dataset.from_generator(
        lambda: iter(batches), output_signature=shapes
    )


def test_classes_become_words():
    data = joint.as_words(boxed([2, 1]), [5, 7, 5])
    found = [batch["classes"].numpy().tolist() for batch in data]
    assert found == [[[5, -1], [7, -1]], [[5, -1]]]
    found = [
        batch["labels"].numpy().tolist()
        for batch in joint.as_words(labelled([1, 2]), [4, 9])
    ]
    assert found == [[4], [9, 9]]


def test_a_step_has_both_kinds():
    """Pictures with boxes first; the others' slots are empty."""
    data = joint.beside(boxed([2, 3]), labelled([3, 1, 4]))
    first, second = data.as_numpy_iterator()
    assert first["labels"].tolist() == [-1, -1, 0, 0, 0]
    assert second["labels"].tolist() == [-1, -1, -1, 1]
    assert second["classes"].tolist() == [[2, -1], [3, -1], [4, -1], [-1, -1]]
    assert second["images"].ravel().tolist() == [1] * 9 + [0] * 3
    for key in ("boxes", "crowd"):
        assert first[key][:2].all() and not first[key][2:].any()
    assert {key: value.dtype.name for key, value in first.items()} == {
        **dict.fromkeys(("images", "boxes"), "float32"),
        **{"classes": "int32", "crowd": "uint8", "labels": "int32"},
    }


def test_boxes_alone_have_no_labels():
    (first,) = joint.beside(boxed([2])).as_numpy_iterator()
    assert first["labels"].tolist() == [-1, -1]
    assert first["classes"].tolist() == [[0, -1], [1, -1]]


def test_epochs_follow_one_another_from_any_step():
    """Of three steps each: from step 4, the second epoch's second."""

    def batches(epoch, start_step):
        return tf.data.Dataset.range(10 * epoch + start_step, 10 * epoch + 3)

    for first, count, expected in (
        (0, 3, [0, 1, 2]),
        (4, 5, [11, 12, 20, 21, 22]),
        (3, 1, [10]),
        (2, 6, [2, 10, 11, 12, 20, 21]),
    ):
        data = joint.from_step(batches, 3, first, count)
        assert list(data.take(count).as_numpy_iterator()) == expected
        assert len(list(data)) < count + 3
