"""How a scene moves: evenly, around the state in which it was drawn by lot."""

from typing import NamedTuple

import numpy as np

from kcv.data.scenes import scene

LIMBS = tuple(  # joints from the trunk outwards
    tuple(scene.JOINTS.index(f"{side}_{name}") for name in names)
    for names in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
    for side in ("right", "left")
)


class Motion(NamedTuple):
    """What changes from the start of a motion to its end, evenly.

    The scene as it is drawn by lot lies in the middle.

    Parameters:
        shift: (dx, dy), pixels.
        turn: Radians, clockwise, around its own middle.
        growth: Logarithm of a factor.
        bend: Added to a thing's bend.
        pivot: Image point (x, y) that it circles around, without turning; or None.
        circle: Radians, clockwise, around the pivot.
        swing: float64 (14,), radians, clockwise: of the bone that ends in a joint; or
            None.
        limits: ((x from, x to), (y from, y to)), pixels: a middle that leaves this
            range comes in again at its other end, both times out of sight; or None.
        acts: Whether it carries the action: then the camera does not move it.
    """

    shift: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0
    growth: float = 0.0
    bend: float = 0.0
    pivot: tuple[float, float] | None = None
    circle: float = 0.0
    swing: np.ndarray | None = None
    limits: tuple | None = None
    acts: bool = False


class Play(NamedTuple):
    """A scene and how it moves.

    Parameters:
        scene: `scene.Scene`, in the middle of the motion.
        motions: A `Motion` of each thing.
        camera: `Motion` of the image as a whole, around its middle.
    """

    scene: scene.Scene
    motions: tuple[Motion, ...]
    camera: Motion


def at(play, when, frame):
    """Returns the `Scene` of a `Play` at a time from -0.5 to 0.5, which is a frame."""
    first, camera = play.scene, play.camera
    middle = np.array((first.width, first.height)) / 2
    linear = np.exp(camera.growth * when) * rotation(camera.turn * when)
    offset = middle - linear @ middle + np.multiply(camera.shift, when)
    things = []
    for thing, motion in zip(first.things, play.motions):
        thing = _moved(thing, motion, when)
        matrix = thing.matrix
        if not motion.acts:
            matrix = linear @ matrix
            matrix[:, 2] += offset
        if motion.limits is not None:
            for axis, (low, high) in enumerate(motion.limits):
                if np.isfinite(low):
                    place = matrix[axis, 2]
                    matrix[axis, 2] = low + (place - low) % (high - low)
        things.append(thing._replace(matrix=matrix))
    back = np.linalg.inv(linear)
    matrix = first.background.matrix.copy()
    matrix[:, 2] -= matrix[:, :2] @ back @ offset
    matrix[:, :2] = matrix[:, :2] @ back
    return first._replace(
        things=tuple(things),
        background=first.background._replace(matrix=matrix),
        key=(*first.key, frame),
    )


def _moved(thing, motion, when):
    """Returns a thing at a time, as a camera that stands still sees it."""
    matrix = thing.matrix.copy()
    turn = rotation(motion.turn * when)
    matrix[:, :2] = np.exp(motion.growth * when) * turn @ matrix[:, :2]
    if motion.pivot is not None:
        away = matrix[:, 2] - motion.pivot
        matrix[:, 2] = motion.pivot + rotation(motion.circle * when) @ away
    matrix[:, 2] += np.multiply(motion.shift, when)
    joints = thing.joints
    if motion.swing is not None:
        joints = swung(joints, motion.swing * when)
    return thing._replace(
        matrix=matrix, bend=thing.bend + motion.bend * when, joints=joints
    )


def rotation(angle):
    """Returns the matrix (2, 2) that turns clockwise where y is down."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([(c, -s), (s, c)])


def swung(joints, angles):
    """Turns the bones of a figure, whose lengths stay.

    Args:
        joints: float64 (14, 2).
        angles: float64 (14,), radians, of the bone that ends in a joint.

    Returns:
        float64 (14, 2).
    """
    moved = joints.copy()
    for limb in LIMBS:
        for start, end in zip(limb, limb[1:]):
            bone = rotation(angles[end]) @ (joints[end] - joints[start])
            moved[end] = moved[start] + bone
    return moved
