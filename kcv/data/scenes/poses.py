"""Random poses of articulated figures that a body can take."""

import math

import numpy as np

from kcv.data.scenes import figures

_LENGTHS = {"trunk": 0.56, "upper_leg": 0.46, "lower_leg": 0.44}
_LENGTHS |= {"upper_arm": 0.31, "lower_arm": 0.27}
_SHOULDERS, _HIPS = 0.2, 0.11  # half the widths, seen from the front
_SIDE = 0.3  # share of a width that is left seen from the side


def random_pose(random):
    """Draws a pose that a body can take, seen from the front or from a side.

    Args:
        random: Function without arguments that returns a float in [0, 1).

    Returns:
        float64 (14, 2) that with its limbs fills [-1, 1] one way; v is down. And the
        limbs that lie behind the trunk, of `scene.LIMBS`.
    """

    def between(low, high):
        return math.radians(low + (high - low) * random())

    view = random()
    facing = 0 if view < 0.6 else 1 if view < 0.8 else -1  # the front, right or left
    width = _SIDE if facing else 1.0
    lean = between(-12, 12) + facing * between(0, 25)
    along = np.array([math.sin(lean), -math.cos(lean)])  # up the trunk
    across = np.array([-along[1], along[0]])  # to the right of the image
    joints = np.zeros((14, 2))
    neck = _LENGTHS["trunk"] * along
    nod = lean + between(-15, 15)
    joints[figures.JOINT["neck"]] = neck
    joints[figures.JOINT["head_top"]] = neck + figures.HEAD * np.array(
        [math.sin(nod), -math.cos(nod)]
    )
    for side, sign in (("right", -1), ("left", 1)):  # its right is at the left
        outward = facing or sign
        hip = sign * width * _HIPS * across
        shoulder = neck - 0.05 * along + sign * width * _SHOULDERS * across
        if facing:
            thigh = between(-25, 75) if random() < 0.5 else between(-20, 30)
            shin = thigh - between(0, 85)
            upper = between(-45, 150)
            lower = upper + between(0, 130)
        else:
            thigh = between(0, 45) if random() < 0.5 else between(0, 12)
            shin = thigh - between(0, 45) if thigh > 0.2 else thigh + between(-6, 3)
            upper = between(5, 165) if random() < 0.6 else between(5, 40)
            lower = upper + (between(0, 120) if random() < 0.6 else between(-100, 0))
        leg = [("upper_leg", thigh), ("lower_leg", shin)]
        arm = [("upper_arm", upper), ("lower_arm", lower)]
        for names, start, limb in (
            (("hip", "knee", "ankle"), hip, leg),
            (("shoulder", "elbow", "wrist"), shoulder, arm),
        ):
            joints[figures.JOINT[f"{side}_{names[0]}"]] = point = start
            for name, (bone, angle) in zip(names[1:], limb):
                length = _LENGTHS[bone] * (0.85 + 0.15 * random())
                turn = outward * angle - lean * 0.5
                point = point + length * np.array([math.sin(turn), math.cos(turn)])
                joints[figures.JOINT[f"{side}_{name}"]] = point
    if facing:  # seen from its right when it faces the right
        far = "left" if facing == 1 else "right"
        behind = (f"{far}_leg", f"{far}_arm")
    else:
        behind = tuple(f"{side}_arm" for side in ("right", "left") if random() < 0.2)
    return _fitted(joints), behind


def _fitted(joints):
    """Moves and scales a pose so that its body fills [-1, 1] the longer way."""
    every = [capsule for layer in figures.layers(joints, ()) for capsule in layer]
    low = np.min([np.min(c.core, axis=0) - c.radius for c in every], axis=0)
    high = np.max([np.max(c.core, axis=0) + c.radius for c in every], axis=0)
    return (joints - (low + high) / 2) * (2 / (high - low).max())
