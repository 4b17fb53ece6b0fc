"""Optical flow in the colours of the Middlebury benchmark: hue is direction.

S. Baker, D. Scharstein, J. P. Lewis, S. Roth, M. J. Black and R. Szeliski, "A Database
and Evaluation Methodology for Optical Flow", 2011; their colorcode.cpp,
https://vision.middlebury.edu/flow/. Flow of 0 is white; the colour is full at the
maximum, and darker beyond.
"""

import numpy as np

UNKNOWN = 1e9  # flow beyond it is not known, as in .flo files
_SEAM = 1e-6  # share of the maximum; less is an error of rounding
_STEPS = (15, 6, 4, 11, 13, 6)  # red-yellow, -green, -cyan, -blue, -magenta, -red
_CORNERS = ((1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1))


def _make_wheel():
    """The 55 hues, float (55, 3); steps are more where eyes tell more apart."""
    corners = np.array((*_CORNERS, _CORNERS[0]), np.float64)
    parts = [
        start + (end - start) * np.floor(255 * np.arange(n)[:, None] / n) / 255
        for start, end, n in zip(corners[:-1], corners[1:], _STEPS)
    ]
    return np.concatenate(parts)


_WHEEL = _make_wheel()


def draw_flow(flow, maximum=None, valid=None):
    """Colours flow.

    Args:
        flow: (h, w, 2), dx to the right and dy down, pixels.
        maximum: Length at which colours are full; `longest` by default.
        valid: (h, w) or (h, w, 1), 0 where flow is not known.

    Returns:
        uint8 (h, w, 3); black where flow is not known, not finite or beyond `UNKNOWN`.
    """
    flow = np.asarray(flow, np.float64)
    known = _known(flow, valid)
    maximum = longest(flow, valid) if maximum is None else maximum
    dx, dy = np.where(known, np.moveaxis(flow, -1, 0), 0) / (maximum or 1.0)
    dy = np.where(np.abs(dy) < _SEAM, 0.0, dy)  # the wheel's hues jump to the right
    radius = np.hypot(dx, dy)
    turn = (np.arctan2(-dy, -dx) / np.pi + 1) / 2 * (len(_WHEEL) - 1)
    low = np.floor(turn).astype(int)
    share = (turn - low)[..., None]
    hue = (1 - share) * _WHEEL[low] + share * _WHEEL[(low + 1) % len(_WHEEL)]
    radius = radius[..., None]
    color = np.where(radius <= 1, 1 - radius * (1 - hue), 0.75 * hue)
    color = np.floor(255 * color).astype(np.uint8)
    return np.where(known[..., None], color, np.uint8(0))


def longest(flow, valid=None):
    """Returns the length in pixels of the longest known flow; 0 if none is known."""
    flow = np.asarray(flow, np.float64)
    lengths = np.hypot(flow[..., 0], flow[..., 1])[_known(flow, valid)]
    return float(lengths.max(initial=0))


def draw_wheel(side):
    """Returns the wheel as a legend, uint8 (side, side, 3), white outside."""
    along = (np.arange(side) + 0.5) / side * 2 - 1
    wheel = np.stack(np.meshgrid(along, along), axis=-1)
    outside = np.hypot(*np.moveaxis(wheel, -1, 0)) > 1
    return np.where(outside[..., None], np.uint8(255), draw_flow(wheel, 1.0))


def _known(flow, valid):
    with np.errstate(invalid="ignore"):
        known = (np.abs(flow) < UNKNOWN).all(axis=-1)  # false for NaN
    if valid is not None:
        known &= np.asarray(valid).reshape(known.shape) != 0
    return known
