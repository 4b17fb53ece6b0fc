"""Keypoints as skeletons: the right side orange, the left side blue.

Joints are those of S. Johnson and M. Everingham, "Clustered Pose and Nonlinear
Appearance Models for Human Pose Estimation", 2010 (Leeds Sports Poses, 14); of
M. Andriluka et al., "2D Human Pose Estimation", 2014 (MPII, 16); of T.-Y. Lin et al.,
"Microsoft COCO", 2014 (17).
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from kcv.viz import colors, style

_FINE = 3  # lines are drawn finer by this, then averaged
_RIGHT, _LEFT, _MIDDLE = "#F0A30A", "#3FA7F0", "#F4F6F8"


class Skeleton(NamedTuple):
    """Joints and which of them are joined.

    Parameters:
        names: A name a joint; "right_..." and "left_..." give it a side.
        edges: Pairs of joints.
    """

    names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]


LSP = Skeleton(
    (
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee"),
        *("left_ankle", "right_wrist", "right_elbow", "right_shoulder"),
        *("left_shoulder", "left_elbow", "left_wrist", "neck", "head_top"),
    ),
    (
        *((0, 1), (1, 2), (3, 4), (4, 5), (2, 3), (2, 8), (3, 9)),
        *((6, 7), (7, 8), (9, 10), (10, 11), (8, 12), (9, 12), (12, 13)),
    ),
)
MPII = Skeleton(
    (
        *LSP.names[:6],
        *("pelvis", "thorax", "upper_neck", "head_top"),
        *LSP.names[6:12],
    ),
    (
        *((0, 1), (1, 2), (2, 6), (3, 6), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9)),
        *((10, 11), (11, 12), (12, 7), (13, 7), (13, 14), (14, 15)),
    ),
)
COCO = Skeleton(
    (
        *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
        *("left_wrist", "right_wrist", "left_hip", "right_hip"),
        *("left_knee", "right_knee", "left_ankle", "right_ankle"),
    ),
    (
        *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12)),
        *((5, 6), (5, 7), (6, 8), (7, 9), (8, 10), (1, 2), (0, 1), (0, 2)),
        *((1, 3), (2, 4), (3, 5), (4, 6)),
    ),
)
SKELETONS = {len(known.names): known for known in (LSP, MPII, COCO)}


def draw_skeletons(image, keypoints, edges=None, scale=1):
    """Draws skeletons: a full dot is a visible joint, a ring a hidden one.

    A joint that is not labelled is left out, with its edges.

    Args:
        image: uint8 (h, w, 3).
        keypoints: (n, k, 3), x, y in continuous pixels and visibility 0, 1 or 2.
        edges: Pairs of joints; by default those of the skeleton of `SKELETONS` with as
            many joints, else none.
        scale: What `image` has been enlarged by since the keypoints were true.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: An edge names a joint that is not there.
    """
    keypoints = np.asarray(keypoints, np.float64)
    joints = keypoints.shape[1]
    known = SKELETONS.get(joints, Skeleton(("",) * joints, ()))
    edges = known.edges if edges is None else edges
    for edge in edges:
        if not all(0 <= joint < joints for joint in edge):
            raise ValueError(f"edge {edge} names a joint beyond the {joints} there are")
    sides = [_side(name) for name in known.names]
    height, width = image.shape[:2]
    unit = _FINE * float(np.clip(min(height, width) / 140, 1, 2))
    layer = Image.new("RGBA", (width * _FINE, height * _FINE))
    draw = ImageDraw.Draw(layer)
    for person in keypoints:
        _draw(draw, person, edges, sides, scale * _FINE, unit)
    layer = layer.reduce(_FINE)
    picture = Image.fromarray(np.array(image)).convert("RGBA")
    return np.asarray(Image.alpha_composite(picture, layer).convert("RGB"))


def side_legend():
    """Returns what the colours mean, [(color, text)]."""
    return [(_RIGHT, "right"), (_LEFT, "left"), (_MIDDLE, "middle")]


def _side(name):
    sides = {"right": _RIGHT, "left": _LEFT}
    return sides.get(name.split("_")[0], _MIDDLE)


def _draw(draw, person, edges, sides, scale, unit):
    """Draws one person; `unit` is a line's half width."""
    dark = colors.rgb(style.INK)
    spots = [(x * scale, y * scale) for x, y, _ in person.tolist()]
    seen = person[:, 2].tolist()
    drawn = [edge for edge in edges if all(seen[joint] > 0 for joint in edge)]
    for fill, half in ((dark, 1.6 * unit), (None, unit)):
        for a, b in drawn:
            side = sides[a] if sides[a] == sides[b] else _MIDDLE
            color = fill or colors.rgb(side)
            draw.line([spots[a], spots[b]], color, round(2 * half))
    for (x, y), visibility, side in zip(spots, seen, sides):
        if visibility > 0:
            for half, fill in ((3 * unit, dark), (2.4 * unit, colors.rgb(side))):
                draw.ellipse((x - half, y - half, x + half, y + half), fill)
            if visibility < 2:  # a ring
                half = 1.4 * unit
                draw.ellipse((x - half, y - half, x + half, y + half), dark)
