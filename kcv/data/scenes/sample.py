"""Draws scenes by lot."""

import math

import numpy as np

from kcv.data.scenes import backgrounds, poses, scene, sprites
from kcv.data.scenes.config import check

_NEAREST, _FARTHEST = 2.0, 9.0  # depths of things
_RELIEFS = {"matt": (0.2, 0.6), "shiny": (0.45, 0.75)}  # else no highlight shows
_TRIES = 8  # places tried for a thing
_UPRIGHT = 1 / 9  # share of the rotation that digits and people take part in
_SKINS = (
    (0.60, 0.38, 0.27),
    (0.42, 0.24, 0.15),
    (0.24, 0.13, 0.08),
    (0.12, 0.06, 0.04),
)
_MARKS = 0.15  # reflectance of a texture's marks, share of the thing's


def sample(config, split, seed, index):
    """Draws a scene.

    The same arguments give the same scene. Splits share neither random numbers nor
    handwritten digits nor photographs.

    Args:
        config: `config.Config`.
        split: "train", "validation" or "test".
        seed: Whole number, 0 or more.
        index: Which scene, 0 or more.

    Returns:
        `scene.Scene`; its things lie from the farthest to the nearest.

    Raises:
        ValueError: if the split is unknown or a value of the config cannot be.
    """
    check(config)
    if split not in scene.SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(scene.SPLITS)}")
    key = (seed, scene.SPLITS.index(split), index)
    random = _stream(np.random.default_rng(key))
    objects = _whole(random, config.min_objects, config.max_objects)
    people = _whole(random, *config.people)
    kinds = [_pick(random, config.categories) for _ in range(objects)]
    for _ in range(people):  # anywhere among the objects
        kinds.insert(_whole(random, 0, len(kinds)), "person")
    things, placed = [], []
    for i in reversed(range(len(kinds))):  # the nearest first: it keeps its place
        thing, disc = _thing(random, config, split, kinds[i], (i, len(kinds)), placed)
        things.append(thing)
        placed.append(disc)
    slant = math.radians(_between(random, *config.slant))
    turn = math.radians(_between(random, -180, 0))  # from above: y points down
    flat = math.sin(slant)
    light = (flat * math.cos(turn), flat * math.sin(turn), math.cos(slant))
    ambient = _between(random, 0.25, 0.45)
    return scene.Scene(
        height=config.height,
        width=config.width,
        background=_background(random, config, split),
        things=tuple(reversed(things)),
        light=np.array(light),
        ambient=ambient,
        camera=scene.Camera(
            exposure=(1 + config.exposure) ** _between(random, -1, 1),
            blur=max(0.0, _between(random, -1, 1)) * config.blur,
            noise=random() * config.noise,
        ),
        key=key,
        shadow=0.8 * (1 - ambient) if config.shadows else 0.0,
    )


def _stream(rng):
    """Returns a function that gives the next float in [0, 1), in blocks for speed."""

    def numbers():
        while True:
            yield from rng.random(128).tolist()

    return numbers().__next__


def _between(random, low, high):
    return low + (high - low) * random()


def _whole(random, low, high):
    return low + int(random() * (high - low + 1))


def _pick(random, values):
    return values[int(random() * len(values))]


def _thing(random, config, split, kind, position, placed):
    """Draws the thing at `position` (i of n from the farthest).

    Returns:
        `scene.Thing` and the disc (x, y, radius) that it takes.
    """
    person = kind == "person"
    sprite, joints, behind = -1, None, ()
    if person:
        joints, behind = poses.random_pose(random)
    elif kind in scene.DIGITS:
        sprite = _pick(random, sprites.of_split(split)[scene.DIGITS.index(kind)])
    matrix = _matrix(random, config, kind)
    size = math.sqrt(abs(matrix[0][0] * matrix[1][1] - matrix[0][1] * matrix[1][0]))
    radius = size * (0.6 if person else 0.85)
    x, y = _place(random, config, size, radius, placed)
    matrix[0][2], matrix[1][2] = x, y
    depth, room = _depth(random, *position)
    unit = max(config.height, config.width) / 2
    colour = _pick(random, config.colours)
    paint = _between(random, 0.88, 1.12)
    albedo = np.array(
        [
            min(paint * _between(random, 0.92, 1.08) * part, 0.95)
            for part in scene.COLOURS[colour]
        ]
    )
    material = _pick(random, config.materials)
    relief = (
        _between(random, 0.45, 0.75) if material == "shiny" else 0.2 + 0.4 * random()
    )
    thing = scene.Thing(
        category=scene.CLASSES.index(kind),
        colour=scene.COLOUR_NAMES.index(colour),
        texture=scene.TEXTURES.index(_pick(random, config.textures)),
        material=scene.MATERIALS.index(material),
        albedo=albedo,
        matrix=np.array(matrix),
        depth=depth,
        bend=0.0 if person else _between(random, -config.bend, config.bend),
        sprite=sprite,
        joints=joints,
        accent=np.array(_pick(random, _SKINS)) if person else _MARKS * albedo,
        # A surface must not reach out to the plane of the next nearer thing.
        relief=min(relief, room * unit / size),
        behind=behind,
    )
    return thing, (x, y, radius)


def _depth(random, i, count):
    """Returns a depth in slot i of so many, and how far its slot is from the next."""
    slot = (_FARTHEST - _NEAREST) / count
    depth = _FARTHEST - slot * (i + _between(random, 0.3, 0.7))
    return depth, 0.6 * slot


def _matrix(random, config, kind):
    """Draws size, turn and stretch; [[a, b, 0], [c, d, 0]]."""
    low, high = config.people_sizes if kind == "person" else config.sizes
    half = 0.5 * min(config.height, config.width) * low * (high / low) ** random()
    turn = math.radians(config.rotation) * _between(random, -1, 1)
    if kind not in scene.SHAPES:
        turn *= _UPRIGHT
    stretch = (1 + config.stretch) ** (0.5 * _between(random, -1, 1))
    along, across = half * stretch, half / stretch
    cos, sin = math.cos(turn), math.sin(turn)
    return [[along * cos, -across * sin, 0.0], [along * sin, across * cos, 0.0]]


def _place(random, config, size, radius, placed):
    """Returns the first allowed (x, y) of several, or that which is hidden least."""
    inset = size * (1 - 2 * config.truncation)
    half_width, half_height = config.width / 2, config.height / 2
    left, right = min(inset, half_width), max(config.width - inset, half_width)
    top, bottom = min(inset, half_height), max(config.height - inset, half_height)
    best, least = None, math.inf
    for _ in range(_TRIES):
        x, y = _between(random, left, right), _between(random, top, bottom)
        hidden = _hidden(x, y, radius, placed)
        if hidden < least:
            best, least = (x, y), hidden
        if hidden <= config.occlusion:
            break
    return best


def _hidden(x, y, radius, placed):
    """Roughly the share of a disc that others hide: linear in their distances."""
    hidden = 0.0
    for other_x, other_y, other_radius in placed:
        overlap = radius + other_radius - math.hypot(x - other_x, y - other_y)
        if overlap > 0:
            smaller = min(radius, other_radius)
            hidden += min(overlap / (2 * smaller), 1) * (smaller / radius) ** 2
    return hidden


def _background(random, config, split):
    kind = _pick(random, config.backgrounds)
    index = _pick(random, backgrounds.of_split(kind, split))
    colours = np.array([[_between(random, 0.03, 0.6) for _ in "rgb"] for _ in range(2)])
    if kind == "gradient":
        return scene.Background(kind, index, _ramp(random, config), colours)
    if kind == "texture":
        tint = 0.6 + 0.4 * colours / colours.max(axis=1, keepdims=True)
        colours = tint * _between(random, 0.6, 1.2)
    height, width = backgrounds.size(kind, index)
    largest = min(height / config.height, width / config.width)
    scale = largest * _between(random, 0.5, 1)
    x = _between(random, 0, width - scale * config.width)
    y = _between(random, 0, height - scale * config.height)
    matrix = np.array([[scale, 0, x], [0, scale, y]])
    if random() < 0.5:  # mirrored
        matrix[0] = -scale, 0, x + scale * config.width
    return scene.Background(kind, index, matrix, colours)


def _ramp(random, config):
    """A map from the image to 0..1 that runs from one corner to the opposite one."""
    angle = 2 * math.pi * random()
    across, down = math.cos(angle), math.sin(angle)
    length = abs(across) * config.width + abs(down) * config.height
    across, down = across / length, down / length
    middle = across * config.width / 2 + down * config.height / 2
    return np.array([[across, down, 0.5 - middle], [0, 0, 0]])
