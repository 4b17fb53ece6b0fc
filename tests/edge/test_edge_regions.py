"""Regions and proposals in NumPy equal those of the graphs, and loops over pixels."""

import pathlib
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "layers"))
import roi_reference  # noqa: E402

from kcv.edge import proposals, regions  # noqa: E402
from kcv.layers import proposals as graphs  # noqa: E402
from kcv.layers.multilevel_roi_align import multilevel_roi_align  # noqa: E402
from kcv.layers.ps_roi_pool import ps_roi_pool  # noqa: E402
from kcv.layers.roi_align import roi_align  # noqa: E402
from kcv.layers.roi_pool import roi_pool  # noqa: E402

RNG = np.random.default_rng(0)
HEIGHT, WIDTH, STRIDE = 12, 16, 4
MAP = RNG.normal(size=(HEIGHT, WIDTH, 4)).astype("float32")
SCORES = RNG.normal(size=(HEIGHT, WIDTH, 2 * 9)).astype("float32")
# Empty, outside, reversed, without area, much too large.
BOXES = roi_reference.some_boxes(1, 24, HEIGHT * STRIDE, WIDTH * STRIDE)[0]
KINDS = {
    "align": (MAP, roi_align, regions.roi_align, (1,)),
    "align twice": (MAP, roi_align, regions.roi_align, (2,)),
    "pool": (MAP, roi_pool, regions.roi_pool, ()),
    "ps": (SCORES, ps_roi_pool, regions.ps_roi_pool, ()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_regions_equal_those_of_graphs_and_of_loops(kind):
    features, graph, ours, more = KINDS[kind]
    found = ours(features, BOXES, 3, STRIDE, *more)
    wanted = np.asarray(graph(features[None], BOXES[None], 3, STRIDE, *more))[0]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    loops = getattr(roi_reference, graph.__name__)
    up = np.zeros((1, *found.shape))
    slow, _ = loops(features[None], BOXES[None], 3, STRIDE, *more, up)
    np.testing.assert_allclose(found, slow[0], atol=1e-5)
    assert np.ptp(found) > 1 and found.dtype == np.float32


@pytest.mark.parametrize("kind", KINDS)
def test_a_box_that_is_no_number_and_none_at_all(kind):
    features, graph, ours, more = KINDS[kind]
    boxes = np.float32([[np.nan, 0, 8, 8], [4, 4, np.inf, 20], [0, 0, 32, 32]])
    found = ours(features, boxes, 3, STRIDE, *more)
    wanted = np.asarray(graph(features[None], boxes[None], 3, STRIDE, *more))[0]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert not found[0].any() and found[2].any()
    assert ours(features, boxes[:0], 3, STRIDE, *more).shape == (0, *found.shape[1:])


def test_of_a_ramp_each_bin_has_the_middle_of_its_place():
    """Pixel i is i + 0.5 strides from the border; bins are 4 pixels of the image."""
    ramp = np.tile(np.arange(WIDTH, dtype="float32")[:, None], (HEIGHT, 1, 1))
    found = regions.roi_align(ramp, np.float32([[10, 8, 22, 20]]), 3, STRIDE)
    np.testing.assert_allclose(found[0, :, :, 0], [[2.5, 3.5, 4.5]] * 3, atol=1e-6)


def test_a_box_is_looked_at_on_the_level_of_its_area():
    maps = {"P2": MAP, "P3": MAP[::2, ::2] + 3, "P4": MAP[::4, ::4] + 6}
    strides = {"P2": 4, "P3": 8, "P4": 16}
    more = np.float32([[0, 0, 24, 24], [0, 0, 23.9, 24], [8, 4, 56, 52]])  # limits
    boxes = np.concatenate([BOXES, more])
    found = regions.multilevel_roi_align(maps, boxes, 3, strides, 2, 4, 48)
    given_maps = {name: x[None] for name, x in maps.items()}
    wanted = multilevel_roi_align(given_maps, boxes[None], 3, 2, 4, 48)
    np.testing.assert_allclose(found, np.asarray(wanted)[0], atol=1e-5)
    numbers = [roi_reference.level(box, 2, 4, 4, 48) for box in more]
    assert numbers == [3, 2, 4]


LEVELS = graphs.plain_levels([(8, [(12, 12), (24, 12)]), (16, [(40, 40), (30, 60)])])
ANCHORS = graphs.level_anchors((48, 64), LEVELS)
COUNT = sum(map(len, ANCHORS))


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    candidates=st.sampled_from([1, 7, 1000]),
    spread=st.sampled_from([0.0, 0.3, 3.0]),
)
def test_proposals_equal_those_of_the_graph(seed, candidates, spread):
    """Scores in steps, so that many are equal; some are no numbers."""
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=COUNT), 1).astype("float32")
    scores[rng.integers(0, COUNT, 3)] = np.nan
    offsets = rng.normal(0, spread, (COUNT, 4)).astype("float32")
    known = (ANCHORS, (48, 64), 20, candidates, 0.6)
    found = proposals.propose(scores, offsets, *known)
    wanted = np.asarray(graphs.propose(scores[None], offsets[None], *known))[0]
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert found.shape == (20, 4)
    if candidates == 1:  # one of each level, and it may lie outside
        assert not found[2:].any()
    else:
        assert found.any()
