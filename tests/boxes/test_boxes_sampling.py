import numpy as np
import pytest

from kcv.boxes import sampling
from kcv.boxes.matching import BACKGROUND, IGNORED

RNG = np.random.default_rng(0)
# Many of each kind; two positives; no object; few of anything.
OBJECTS = np.stack(
    [
        RNG.choice([BACKGROUND, IGNORED, 0, 3], 60),
        RNG.permutation([0, 2] + [BACKGROUND] * 40 + [IGNORED] * 18),
        RNG.choice([BACKGROUND, IGNORED], 60),
        RNG.permutation([1] * 3 + [BACKGROUND] * 4 + [IGNORED] * 53),
    ]
).astype("int32")
RANDOM = RNG.uniform(size=OBJECTS.shape)


def test_sample_draws_so_many_of_each():
    indices, positive, valid = map(
        np.asarray, sampling.sample(OBJECTS, RANDOM, count=16, max_positive=8)
    )
    np.testing.assert_array_equal(positive.sum(axis=1), [8, 2, 0, 3])
    np.testing.assert_array_equal(valid.sum(axis=1), [16, 16, 16, 7])
    for k in range(4):
        drawn = indices[k][valid[k]]
        assert len(set(drawn.tolist())) == len(drawn)
        kinds = OBJECTS[k][drawn]
        np.testing.assert_array_equal(kinds >= 0, positive[k][valid[k]])
        np.testing.assert_array_equal(kinds == BACKGROUND, ~positive[k][valid[k]])


def test_sample_takes_the_highest_numbers():
    """Pencil: of positives 0, 2, 3 those with 0.9 and 0.8; the one negative."""
    objects = np.int32([[0, BACKGROUND, 1, 0, IGNORED]])
    random = [[0.1, 0.2, 0.9, 0.8, 1.0]]
    drawn = sampling.sample(objects, random, count=4, max_positive=2)
    np.testing.assert_array_equal(drawn.indices, [[2, 3, 1, 0]])
    np.testing.assert_array_equal(drawn.positive, [[True, True, False, False]])
    np.testing.assert_array_equal(drawn.valid, [[True, True, True, False]])


def test_every_anchor_has_its_chance():
    """Trap: a choice by index instead of by the random numbers."""
    random = RNG.uniform(size=(400, 60))
    objects = np.repeat(OBJECTS[:1], 400, axis=0)
    drawn = sampling.sample(objects, random, count=16, max_positive=8)
    counts = np.bincount(np.asarray(drawn.indices)[drawn.positive], minlength=60)
    share = counts[OBJECTS[0] >= 0] / 400
    expected = 8 / (OBJECTS[0] >= 0).sum()
    assert np.abs(share - expected).max() < 5 * np.sqrt(expected / 400)


def test_hard_negatives_by_rule():
    losses = RNG.uniform(size=OBJECTS.shape)
    losses[0] = 0.5  # all equal: so many all the same
    chosen = np.asarray(sampling.hard_negatives(losses, OBJECTS))
    positives = (OBJECTS >= 0).sum(axis=1)
    negatives = (OBJECTS == BACKGROUND).sum(axis=1)
    expected = np.minimum(3 * positives, negatives)
    np.testing.assert_array_equal(chosen.sum(axis=1), expected)
    assert not chosen[OBJECTS != BACKGROUND].any()
    left = (OBJECTS[1] == BACKGROUND) & ~chosen[1]
    assert losses[1][chosen[1]].min() > losses[1][left].max()


def test_hard_negatives_of_images_without_objects():
    losses = RNG.uniform(size=OBJECTS.shape)
    chosen = np.asarray(sampling.hard_negatives(losses, OBJECTS, 1, at_least=5))
    assert chosen[2].sum() == 5
    assert losses[2][chosen[2]].min() >= np.sort(losses[2][OBJECTS[2] == -1])[-5]
    assert chosen[1].sum() == 5  # of two positives


@pytest.mark.parametrize(("count", "most"), [(61, 8), (16, 17), (16, 0)])
def test_errors(count, most):
    message = f"{count} of 60 anchors wanted, {most} of them positive"
    with pytest.raises(ValueError, match=message):
        sampling.sample(OBJECTS, RANDOM, count, most)
