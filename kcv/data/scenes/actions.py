"""Actions that the order of frames alone tells apart, and how they are staged.

Actions come in pairs, and a clip of one action played backwards is a clip of the other:
whoever looks at frames without their order, at one or at all, learns nothing. Where
what changes has no end (places of things that leave the image and come in again at the
other side, turns, circles, pans over a mirrored photograph) each frame by its number,
also the first and the last, is distributed alike for both. Where it has an end (size,
distance, bend, arms, zoom) the middle frame is; something that only grows must be
smaller in its first frame, whatever is drawn. There the ranges are wide and the changes
small: who measures exactly, and knows that a frame is the first, is right in 62 to 74 %
of the cases.

An action is carried by the thing that is nearest to the camera (the nearest two for
approach, leave and circle), or by the camera, when all moves. Everything else moves a
little, too.
"""

import numpy as np

from kcv.data.scenes import backgrounds, scene
from kcv.data.scenes.motions import LIMBS, Motion, Play, rotation, swung
from kcv.data.scenes.shadows import SHADOW_GAP

PAIRS = (
    *(("move_right", "move_left"), ("move_down", "move_up")),
    *(("pan_right", "pan_left"), ("pan_down", "pan_up")),  # where the camera turns to
    ("turn_clockwise", "turn_counter_clockwise"),
    ("circle_clockwise", "circle_counter_clockwise"),
    *(("grow", "shrink"), ("leave", "approach"), ("bend", "straighten")),
    *(("raise_arms", "lower_arms"), ("zoom_in", "zoom_out")),
)
ACTIONS = tuple(action for pair in PAIRS for action in pair)
ENDLESS = ACTIONS[: ACTIONS.index("grow")]  # any frame by its number tells nothing

STEPS = 7  # of a whole motion; between two frames lies one of them at most
EASE = 0.3  # the speed changes by up to this share within a clip
_ROUND = ("circle", "ring", "hexagon")  # a turn of them shows by their texture alone
_STRIPED = scene.TEXTURES.index("striped")


def opposite(action: int) -> int:
    """Returns the action that this one is when played backwards."""
    return action ^ 1


def needs(config, action: int):
    """Returns a `Config` whose scenes have what an action needs to be shown."""
    name = PAIRS[action // 2][0]
    least = 2 if name in ("circle_clockwise", "leave") else 1
    kinds = tuple(kind for kind in config.backgrounds if kind != "gradient")
    if name.startswith(("pan", "zoom")) and kinds:
        config = config._replace(backgrounds=kinds)  # a gradient hardly shows it
    if name == "raise_arms":
        config = config._replace(people=(max(1, config.people[0]),) * 2)
        least = 0
    return config._replace(
        min_objects=max(least, config.min_objects),
        max_objects=max(least, config.max_objects),
    )


def stage(first, action: int, rng) -> Play:
    """Stages the first action of an action's pair.

    Args:
        first: `scene.Scene` of a config that `needs` returned.
        action: Index into `ACTIONS`.
        rng: `np.random.Generator`.
    """
    side = min(first.height, first.width)
    motions = tuple(_idle(thing, side, rng) for thing in first.things)
    camera = Motion(
        shift=tuple(side * rng.uniform(-0.04, 0.04, 2)),
        turn=rng.uniform(-0.04, 0.04),
        growth=rng.uniform(-0.05, 0.05),
    )
    return _STAGES[action // 2](Play(first, motions, camera), rng)


def _idle(thing, side, rng):
    """A small motion of a thing that does not act."""
    swing = None
    if thing.joints is not None:
        swing = np.zeros(14)
        for limb in LIMBS:
            swing[list(limb[1:])] = rng.uniform(-0.4, 0.4, 2)
    return Motion(
        shift=tuple(side * rng.uniform(-0.05, 0.05, 2)),
        turn=rng.uniform(-0.2, 0.2),
        growth=rng.uniform(-0.06, 0.06),
        bend=rng.uniform(-0.05, 0.05),
        swing=swing,
    )


def _cast(play, rng, sizes, count=1, people=False):
    """Brings the actors to the front, sets their size and where they stand.

    Args:
        play: `Play`.
        rng: `np.random.Generator`.
        sizes: Least and largest half side of an actor's frame, share of the image's
            shorter side.
        count: How many actors.
        people: Whether they are people, or none are.

    Returns:
        `Play`, in which the last `count` things act and stand about the middle.
    """
    size, things = (play.scene.height, play.scene.width), play.scene.things
    able = [i for i, t in enumerate(things) if (t.category == scene.PERSON) == people]
    chosen = able[-count:]
    rest = [i for i in range(len(things)) if i not in chosen]
    nearest = min((things[i].depth for i in rest), default=8.0)
    actors, motions = [], []
    for place, i in enumerate(chosen):
        half = min(size) * np.exp(rng.uniform(*np.log(sizes)))
        matrix = things[i].matrix * (half / things[i].size)
        matrix[:, 2] = rng.uniform(0.35, 0.65, 2) * size[::-1]
        depth = nearest * (0.85 - 0.15 * place)
        actors.append(things[i]._replace(matrix=matrix, depth=depth))
        motions.append(Motion(acts=True))
    return play._replace(
        scene=play.scene._replace(things=(*(things[i] for i in rest), *actors)),
        motions=(*(play.motions[i] for i in rest), *motions),
    )


def _act(play, *parts):
    """Gives the last things, the actors, what they do: (changes of thing, `Motion`)."""
    things, count = play.scene.things, len(play.scene.things) - len(parts)
    actors = [thing._replace(**new) for thing, (new, _) in zip(things[count:], parts)]
    return play._replace(
        scene=play.scene._replace(things=(*things[:count], *actors)),
        motions=(*play.motions[:count], *(motion for _, motion in parts)),
    )


def _move(axis):
    def stage(play, rng):
        play = _cast(play, rng, (0.08, 0.12))
        actor, motion = play.scene.things[-1], play.motions[-1]
        extent = (play.scene.width, play.scene.height)[axis]
        shift = np.zeros(2)
        shift[axis] = extent * rng.uniform(0.5, 0.65)
        motion = motion._replace(shift=tuple(shift), turn=rng.uniform(-0.3, 0.3))
        thing, motion = _endless(play.scene, actor, motion, axis, rng)
        return _act(play, ({"matrix": thing.matrix}, motion))

    return stage


def _pan(axis):
    def stage(play, rng):
        extent = (play.scene.width, play.scene.height)[axis]
        shift = np.zeros(2)  # the picture moves the other way
        shift[axis] = -extent * rng.uniform(0.4, 0.6)
        camera = Motion(shift=tuple(shift))
        things, motions = [], []
        for thing, motion in zip(play.scene.things, play.motions):
            thing, motion = _endless(play.scene, thing, motion, axis, rng, camera.shift)
            things.append(thing)
            motions.append(motion)
        background = play.scene.background
        if background.kind != "gradient":
            height, width = backgrounds.size(background.kind, background.index)
            matrix = background.matrix.copy()
            matrix[:, 2] += rng.uniform(0, 2, 2) * (width, height)
            background = background._replace(matrix=matrix)
        moved = play.scene._replace(things=tuple(things), background=background)
        return Play(moved, tuple(motions), camera)

    return stage


def _endless(first, thing, motion, axis, rng, shift=(0.0, 0.0)):
    """Draws a thing's place along an axis such that no frame's differs from another's.

    It is even over a range at whose ends the thing and its shadow are out of sight.
    """
    bend = abs(thing.bend) + abs(motion.bend) / 2
    radius = np.linalg.norm(thing.matrix[:, :2], 2) * np.hypot(1, 1 + bend)
    radius *= np.exp(abs(motion.growth) / 2) * (1.3 if thing.joints is not None else 1)
    step = (abs(motion.shift[axis]) + abs(shift[axis])) * (1 + EASE) / STEPS
    gap = first.unit * SHADOW_GAP * (scene.BACKGROUND_DEPTH - thing.depth)
    fall = -first.light[axis] / first.light[2] * gap if first.shadow else 0.0
    soft = 2 + 0.2 * abs(first.light[:2] / first.light[2] * gap).sum()  # of its edge
    low = -(radius + step + soft + max(fall, 0))
    high = (first.width, first.height)[axis] + radius + step + soft + max(-fall, 0)
    matrix = thing.matrix.copy()
    matrix[axis, 2] = rng.uniform(low, high)
    limits = [(-np.inf, np.inf)] * 2
    limits[axis] = (float(low), float(high))
    return thing._replace(matrix=matrix), motion._replace(limits=tuple(limits))


def _turn(play, rng):
    play = _cast(play, rng, (0.14, 0.24))
    actor, motion = play.scene.things[-1], play.motions[-1]
    matrix = actor.matrix.copy()
    matrix[:, :2] = rotation(rng.uniform(0, 2 * np.pi)) @ matrix[:, :2]
    texture = _STRIPED if actor.name in _ROUND else actor.texture
    motion = motion._replace(turn=np.deg2rad(rng.uniform(100, 200)))
    return _act(play, ({"matrix": matrix, "texture": texture}, motion))


def _circle(play, rng):
    play = _cast(play, rng, (0.08, 0.12), count=2)
    side = min(play.scene.height, play.scene.width)
    pivot = np.array((play.scene.width, play.scene.height)) / 2
    pivot += side * rng.uniform(-0.05, 0.05, 2)
    arm, angle = side * rng.uniform(0.2, 0.28), rng.uniform(0, 2 * np.pi)
    arc = np.deg2rad(rng.uniform(100, 180))
    parts = []
    for actor, sign in zip(play.scene.things[-2:], (1, -1)):
        matrix = actor.matrix.copy()
        matrix[:, 2] = pivot + sign * arm * np.array((np.cos(angle), np.sin(angle)))
        motion = Motion(pivot=tuple(pivot), circle=arc, acts=True)
        parts.append(({"matrix": matrix}, motion))
    return _act(play, *parts)


def _grow(play, rng):
    play = _cast(play, rng, (0.07, 0.3))
    motion = play.motions[-1]._replace(
        growth=rng.uniform(0.25, 0.4), turn=rng.uniform(-0.3, 0.3)
    )
    return _act(play, ({}, motion))


def _leave(play, rng):
    play = _cast(play, rng, (0.07, 0.1), count=2)
    size = np.array((play.scene.width, play.scene.height))
    middle = size * rng.uniform(0.42, 0.58, 2)
    angle = rng.uniform(0, 2 * np.pi)
    along = size.min() * np.array((np.cos(angle), np.sin(angle)))
    apart, change = rng.uniform(0.3, 0.8), rng.uniform(0.14, 0.2)
    parts = []
    for actor, sign in zip(play.scene.things[-2:], (0.5, -0.5)):
        matrix = actor.matrix.copy()
        matrix[:, 2] = middle + sign * apart * along
        motion = Motion(shift=tuple(sign * change * along), acts=True)
        parts.append(({"matrix": matrix}, motion))
    return _act(play, *parts)


def _bend(play, rng):
    play = _cast(play, rng, (0.15, 0.22))
    sign = rng.choice((-1.0, 1.0))
    motion = play.motions[-1]._replace(
        bend=sign * rng.uniform(0.2, 0.3), turn=rng.uniform(-0.3, 0.3)
    )
    return _act(play, ({"bend": sign * rng.uniform(0.15, 0.8)}, motion))


def _raise_arms(play, rng):
    play = _cast(play, rng, (0.3, 0.4), people=True)
    actor = play.scene.things[-1]
    joints, swing = actor.joints.copy(), np.zeros(14)
    middle, swings = np.deg2rad(rng.uniform((25, 32), (130, 42)))  # 0 is hanging down
    name = {joint: i for i, joint in enumerate(scene.JOINTS)}
    turned = joints[name["right_shoulder"], 0] > joints[name["left_shoulder"], 0]
    for side, outward in (("right", 2 * turned - 1), ("left", 1 - 2 * turned)):
        angle = middle + rng.uniform(-0.2, 0.2)
        for start, end in (("shoulder", "elbow"), ("elbow", "wrist")):
            start, end = name[f"{side}_{start}"], name[f"{side}_{end}"]
            bone = np.linalg.norm(actor.joints[end] - actor.joints[start])
            direction = np.array((outward * np.sin(angle), np.cos(angle)))
            joints[end] = joints[start] + bone * direction
            swing[end] = -outward * swings
            angle += rng.uniform(0, 0.3)
    motion = play.motions[-1]._replace(swing=swing)
    return _act(play, ({"joints": _fitted(joints, swing)}, motion))


def _fitted(joints, swing):
    """Moves and scales a pose such that it fills its frame over a whole motion."""
    points = [swung(joints, swing * along) for along in np.linspace(-0.5, 0.5, 5)]
    low, high = np.min(points, axis=(0, 1)), np.max(points, axis=(0, 1))
    return (joints - (low + high) / 2) * (1.8 / (high - low).max())


def _zoom(play, rng):
    background = play.scene.background
    middle = np.array((play.scene.width, play.scene.height)) / 2
    scale = np.exp(rng.uniform(-0.5, 0.5))  # of the photograph, so that it tells less
    matrix = background.matrix.copy()
    matrix[:, 2] += (1 - scale) * matrix[:, :2] @ middle
    matrix[:, :2] *= scale
    background = background._replace(matrix=matrix)
    first = play.scene._replace(background=background)
    return play._replace(scene=first, camera=Motion(growth=rng.uniform(0.25, 0.4)))


_STAGES = (
    *(_move(0), _move(1), _pan(0), _pan(1), _turn, _circle),
    *(_grow, _leave, _bend, _raise_arms, _zoom),
)
