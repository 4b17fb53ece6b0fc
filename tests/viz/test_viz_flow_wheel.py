import numpy as np
import pytest

from kcv.viz import flow_wheel

# The table of hues of colorcode.cpp, computed there with integers: first hue of each of
# its six parts, and a few between.
HUES = {
    0: (255, 0, 0),
    1: (255, 17, 0),
    14: (255, 238, 0),
    15: (255, 255, 0),
    16: (213, 255, 0),
    21: (0, 255, 0),
    22: (0, 255, 63),
    25: (0, 255, 255),
    27: (0, 209, 255),
    36: (0, 0, 255),
    37: (19, 0, 255),
    49: (255, 0, 255),
    54: (255, 0, 43),
}


def _of(dx, dy, maximum=1.0):
    return tuple(flow_wheel.draw_flow([[[dx, dy]]], maximum)[0, 0].tolist())


def test_hues_are_those_of_the_benchmark():
    assert len(flow_wheel._WHEEL) == 55
    for index, hue in HUES.items():
        levels = np.round(flow_wheel._WHEEL[index] * 255)
        assert tuple(levels.astype(int)) == hue, index


def test_directions():
    """Right is hue 0, down 13.5, left 27, up 40.5 of 54: red, yellow, cyan, violet."""
    assert _of(1, 0) == (255, 0, 0)
    assert _of(0, 1) == (255, (221 + 238) // 2, 0)
    assert _of(-1, 0) == (0, 209, 255)
    assert _of(0, -1) == ((78 + 98) // 2, 0, 255)


@pytest.mark.parametrize("dy", [-0.0, -1e-9, 1e-9])
def test_rounding_does_not_cross_the_seam(dy):
    """Just above "right" begins the other end of the hues; noise must not show it."""
    assert _of(1, dy) == (255, 0, 0)
    assert _of(1, -1e-3)[2] > 30


def test_lengths():
    """White at rest, half the saturation half way, dark by 0.75 beyond the maximum."""
    assert _of(0, 0) == (255, 255, 255)
    assert _of(2, 0, maximum=4.0) == (255, 127, 127)
    assert _of(4, 0, maximum=4.0) == (255, 0, 0)
    assert _of(4.01, 0, maximum=4.0) == (191, 0, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9, -2e9])
def test_unknown_flow_is_black_and_does_not_count(value):
    flow = np.array([[[3.0, 4.0], [value, 0.0], [0.0, value]]])
    drawn = flow_wheel.draw_flow(flow)
    assert (drawn[0, 1:] == 0).all() and drawn[0, 0].any()
    assert flow_wheel.longest(flow) == 5.0


def test_what_is_not_valid_is_black_and_does_not_count():
    flow = np.array([[[3.0, 4.0], [30.0, 40.0]]])
    valid = np.array([[[1], [0]]])
    assert flow_wheel.longest(flow, valid) == 5.0
    drawn = flow_wheel.draw_flow(flow, valid=valid)
    assert (drawn[0, 1] == 0).all()
    np.testing.assert_array_equal(
        drawn[0, 0], flow_wheel.draw_flow(flow / 5, 1.0)[0, 0]
    )


def test_no_flow_at_all():
    assert flow_wheel.longest(np.full((2, 2, 2), 1e10)) == 0.0
    assert (flow_wheel.draw_flow(np.zeros((2, 2, 2))) == 255).all()


def test_wheel_is_the_colours_of_its_directions():
    """The legend's right rim is what flow to the right has; outside is white."""
    wheel = flow_wheel.draw_wheel(201)
    assert (wheel[0, 0] == 255).all() and (wheel[100, 100] == 255).all()
    for (row, column), flow in {
        (100, 199): (1, 0),
        (199, 100): (0, 1),
        (100, 1): (-1, 0),
        (1, 100): (0, -1),
    }.items():
        np.testing.assert_allclose(wheel[row, column], _of(*flow), atol=6)
