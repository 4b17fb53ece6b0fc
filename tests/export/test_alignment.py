"""Proposals of a file are compared with the same boxes of Keras, in whatever order."""

import numpy as np
import pytest

from kcv.export import ExportError
from kcv.export.alignment import aligned

RNG = np.random.default_rng(0)
BOXES = RNG.uniform(0, 100, (2, 40, 4)).astype("float32")
EXPECTED = {
    "proposals": BOXES,
    "scores": RNG.normal(size=(2, 40, 3)).astype("float32"),
    "maps": RNG.normal(size=(2, 4, 4, 5)).astype("float32"),
}


def test_rows_are_found_again():
    """Each image in an order of its own, and boxes off by rounding."""
    orders = np.stack([RNG.permutation(40) for _ in range(2)])
    rows = (np.arange(2)[:, None], orders)
    file = {name: EXPECTED[name][rows] for name in ("proposals", "scores")}
    file |= {"maps": EXPECTED["maps"]}
    file["proposals"] = file["proposals"] + np.float32(1e-3)
    ours, theirs = aligned(EXPECTED, file, 1e-3)
    for name in ("scores", "maps"):
        np.testing.assert_array_equal(theirs[name], EXPECTED[name])
    np.testing.assert_allclose(theirs["proposals"], BOXES, atol=2e-3)
    np.testing.assert_array_equal(ours["proposals"], BOXES)


def test_a_box_of_one_of_them_is_left_out_of_both():
    file = {name: values.copy() for name, values in EXPECTED.items()}
    file["proposals"][1, 7] += 50
    file["scores"][1, 7] = 9
    ours, theirs = aligned(EXPECTED, file, 1e-3)
    for name in ("proposals", "scores"):
        np.testing.assert_array_equal(ours[name], theirs[name])
        assert not ours[name][1, 7].any() and ours[name][1, 6].all()


def test_many_such_boxes_are_refused():
    file = EXPECTED | {"proposals": BOXES + [[[50]], [[0]]]}
    with pytest.raises(ExportError, match="50.0% of its boxes are not among those of"):
        aligned(EXPECTED, file, 1e-3)


def test_other_outputs_are_left_alone():
    plain = {"scores": EXPECTED["scores"]}
    assert aligned(plain, plain, 1e-3) == (plain, plain)
