"""Grouping against a slow reference that counts pixels of masks anew at every step."""

import numpy as np
import pytest
from skimage import color

from kcv.classic.grouping import COLOUR_BINS, SIMILARITIES, Regions, _edges

RNG = np.random.default_rng(0)


def halves():
    """Red on the left, blue on the right, (12, 16)."""
    image = np.zeros((12, 16, 3))
    image[:, :6, 0] = 1
    image[:, 6:, 2] = 1
    return image


def test_two_halves_by_pencil():
    regions = Regions(halves(), scale=50)
    assert regions.count == 2
    assert regions.neighbours().tolist() == [[0, 1]]
    boxes = regions.grouped(SIMILARITIES)
    assert boxes.tolist() == [[0, 0, 6, 12], [6, 0, 16, 12], [0, 0, 16, 12]]


def test_an_image_of_one_region():
    regions = Regions(np.full((10, 14, 3), 0.3), scale=50)
    assert regions.neighbours().shape == (0, 2)
    assert regions.grouped(SIMILARITIES).tolist() == [[0, 0, 14, 10]]


def patches():
    """Noisy patches of random colours, (24, 32, 3)."""
    image = RNG.uniform(0, 1, (3, 4, 3)).repeat(8, 0).repeat(8, 1)
    return np.clip(image + RNG.normal(0, 0.03, image.shape), 0, 1)


def histogram(values, mask, bins):
    """Of all channels of the pixels of a mask, of sum 1."""
    found = [np.histogram(channel, bins, (0, 1))[0] for channel in values[mask].T]
    return np.concatenate(found) / np.sum(found)


def slow_similarity(image, one, other, kinds):
    def box(mask):
        y, x = np.nonzero(mask)
        return (np.ptp(y) + 1) * (np.ptp(x) + 1)

    total = 0.0
    if "colour" in kinds:
        pair = [histogram(image, mask, COLOUR_BINS) for mask in (one, other)]
        total += np.minimum(*pair).sum()
    both = (one | other).sum()
    if "size" in kinds:
        total += 1 - both / one.size
    if "fill" in kinds:
        total += 1 - (box(one | other) - both) / one.size
    return total


def slow_grouping(image, labels, kinds):
    masks = [labels == i for i in range(labels.max() + 1)]
    found, alive = list(masks), list(range(len(masks)))
    while len(alive) > 1:
        best = (-1, None)
        for one in alive:
            for other in alive:
                if one < other and touch(found[one], found[other]):
                    alike = slow_similarity(image, found[one], found[other], kinds)
                    best = max(best, (alike, (one, other)))
        one, other = best[1]
        alive = [i for i in alive if i not in (one, other)] + [len(found)]
        found.append(found[one] | found[other])
    return [extent(mask) for mask in found]


def touch(one, other):
    right = (one[:, :-1] & other[:, 1:]) | (other[:, :-1] & one[:, 1:])
    return right.any() or ((one[:-1] & other[1:]) | (other[:-1] & one[1:])).any()


def extent(mask):
    y, x = np.nonzero(mask)
    return [x.min(), y.min(), x.max() + 1, y.max() + 1]


@pytest.mark.parametrize("kinds", [("colour", "size", "fill"), ("colour",)])
def test_equals_the_slow_reference(kinds):
    image = patches()
    regions = Regions(image, scale=20)
    assert 6 < regions.count < 30
    wanted = slow_grouping(image, regions.labels, kinds)
    assert regions.grouped(kinds).tolist() == wanted


def test_texture_tells_stripes_from_a_plain_ground():
    """Three columns of one mean colour: stripes, stripes, plain; stripes join first."""
    image = np.full((32, 48, 3), 0.5)
    image[::2, :32] += 0.1
    image[1::2, :32] -= 0.1
    regions = Regions(image, scale=50)
    regions.labels[:] = np.arange(48) // 16
    regions.count = 3
    regions._start = {
        "size": np.full(3, 512.0),
        "boxes": np.array([[0, 0, 16, 32], [16, 0, 32, 32], [32, 0, 48, 32]], float),
        "colour": np.ones((3, 1)),
        "texture": regions._histograms(textures(image), 10),
    }
    assert regions.grouped(("texture",))[3].tolist() == [0, 0, 32, 32]


def textures(image):
    found = _edges(image)
    assert found.shape == (32, 48, 24)
    assert found.min() >= 0 and found.max() <= 1
    return found


def test_a_step_has_its_own_direction():
    """Dark to light to the right: all in direction 0 of 8, nothing against it."""
    image = np.zeros((9, 20, 1))
    image[:, 10:] = 1
    found = _edges(image)[4, 9]
    assert found[0] > 0.8
    assert found[4] == 0
    np.testing.assert_allclose(found[1], found[0] * np.cos(np.pi / 4), rtol=1e-6)


def test_colours_of_any_space_fill_the_bins():
    image = color.rgb2hsv(patches())
    regions = Regions(image, scale=20)
    for mask, row in zip(range(3), regions._start["colour"]):
        wanted = histogram(image, regions.labels == mask, COLOUR_BINS)
        np.testing.assert_allclose(row, wanted)
