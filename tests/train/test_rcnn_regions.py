import numpy as np
import pytest
from rcnn_squares import squares

from kcv.classic import proposals
from kcv.train.rcnn_examples import chosen, read
from kcv.train.rcnn_regions import (
    BACKGROUND,
    IGNORED,
    Lot,
    Windows,
    batches,
    num_steps,
    windows,
)

FAR = np.float32([[0, 30, 6, 36], [20, 0, 24, 4]])


def labelled():
    examples = squares()
    found = [np.concatenate([boxes + [1, 0, 1, 0], FAR]) for boxes in examples.boxes]
    return examples, windows(examples, found)


def test_labels_by_pencil():
    """Objects first, then what overlaps them by 11/13, then what is far away."""
    _, found = labelled()
    labels = [[0, 1, 0, 1, BACKGROUND, BACKGROUND]] * 3
    labels += [[0, IGNORED, 0, IGNORED, BACKGROUND, BACKGROUND]]  # a crowd
    np.testing.assert_array_equal(found.labels.reshape(4, 6), labels)
    np.testing.assert_array_equal(found.images, np.repeat(np.arange(4), 6))
    np.testing.assert_array_equal(found.objects[:6], [0, 1, 0, 1, -1, -1])
    np.testing.assert_array_equal(found.objects[-6:], [6, -1, 6, -1, -1, -1])
    assert found.boxes.shape == (24, 4)


def test_an_image_without_objects_is_background():
    examples = chosen(squares(), [0])
    none = examples._replace(
        boxes=[np.zeros((0, 4), "float32")],
        classes=[np.zeros(0, "int32")],
        crowd=[np.zeros(0, bool)],
    )
    found = windows(none, [FAR])
    assert found.labels.tolist() == [BACKGROUND] * 2
    assert num_steps(found, 8, 0.25) == 1
    places = Lot(found).draw(8, 2, np.random.default_rng(0))
    assert len(places) == 8 and set(places) == {0, 1}


def test_every_object_is_drawn_as_often_whatever_its_proposals():
    labels = np.array([0] * 9 + [1] + [BACKGROUND] * 5 + [IGNORED] * 3)
    objects = np.array([0] * 9 + [1] + [-1] * 8)
    found = Windows(np.zeros((18, 4)), np.zeros(18, int), labels, objects)
    places = Lot(found).draw(4000, 2000, np.random.default_rng(0))
    counts = np.bincount(places, minlength=18)
    assert abs(counts[9] - 1000) < 100 and abs(counts[:9].sum() - 1000) < 100
    assert counts[:9].min() > 70 and counts[10:15].min() > 300
    assert not counts[15:].any()
    everything = found._replace(labels=np.maximum(labels, 0))
    assert len(Lot(everything).draw(7, 2, np.random.default_rng(0))) == 7
    with pytest.raises(ValueError, match="no image has a region to learn from"):
        Lot(found._replace(labels=np.full(18, IGNORED)))


def test_steps_by_pencil():
    """Seven objects that count, two positive regions a batch."""
    _, found = labelled()
    assert num_steps(found, 8, 0.25) == 4


def test_batches_depend_on_their_position_alone():
    examples, found = labelled()
    options = {"positive_share": 0.5, "context": 0.0, "seed": 1}
    shape, span = (8, 8, 3), (0.0, 1.0)

    def made(**more):
        data = batches(examples, found, 8, shape, span, **options, **more)
        return list(data.as_numpy_iterator())

    whole = made(epoch=0)
    assert len(whole) == num_steps(found, 8, 0.5) == 2
    for batch in whole:
        assert batch["images"].shape == (8, 8, 8, 3)
        assert (batch["labels"][:4] > 0).all() and not batch["labels"][4:].any()
        red = batch["images"].mean(axis=(1, 2))[:, 0] > 0.8
        np.testing.assert_array_equal(red, batch["labels"] == 1)
    (later,) = made(epoch=0, start_step=1)
    np.testing.assert_array_equal(later["images"], whole[1]["images"])
    other = made(epoch=1)
    assert (other[0]["images"] != whole[0]["images"]).any()
    parts = made(epoch=0, replicas=(0, 2, 2))
    assert len(parts) == 4
    both = np.stack([parts[2]["images"], parts[3]["images"]], axis=1)
    np.testing.assert_array_equal(both.reshape(8, 8, 8, 3), whole[1]["images"])
    mirrored = made(epoch=0, flip=True)
    np.testing.assert_array_equal(mirrored[0]["labels"], whole[0]["labels"])
    np.testing.assert_array_equal(made()[0]["labels"], made(flip=True)[0]["labels"])


def test_read_of_scenes():
    options = {"count": 2, "draw": True}
    examples = read("scenes/detection_easy_64", "train", **options)
    assert len(examples.images) == 2 and len(examples.class_names) == 23
    for image, boxes, classes, crowd in zip(*examples[:4]):
        assert image.shape == (64, 64, 3) and image.dtype == np.uint8
        assert boxes.shape == (len(classes), 4) and len(crowd) == len(classes)
    with pytest.raises(ValueError, match="digits has no images|no boxes"):
        read("digits", "train")


def test_proposals_of_images_and_their_file(tmp_path):
    images = squares().images
    found = list(proposals.propose(images, "selective_search_fast", 5))
    assert [each.shape for each in found] == [(5, 4)] * 4
    found[1] = found[1][:0]
    proposals.write(tmp_path / "x.npz", found)
    again = proposals.read(tmp_path / "x.npz")
    assert len(again) == 4
    for one, other in zip(found, again):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="no proposals 'edges'; known: selective"):
        list(proposals.propose(images, "edges", 5))
    with pytest.raises(ValueError, match="count=0 and workers=1 must be 1 or more"):
        list(proposals.propose(images, "objectness", 0))


@pytest.mark.slow
def test_processes_give_the_same_proposals():
    images = squares().images
    alone = list(proposals.propose(images, "objectness", 9))
    both = list(proposals.propose(images, "objectness", 9, workers=2))
    for one, other in zip(alone, both):
        np.testing.assert_array_equal(one, other)
