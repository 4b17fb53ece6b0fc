"""What can be said of a thing, as numbers; classes told apart by two attributes.

For zero-shot learning a class is a pair such as (red, star). Some pairs are never seen
in training, but each of their two values is seen in other pairs, so that a vector of
attributes says what the unseen class looks like (Lampert et al., Learning to Detect
Unseen Object Classes by Between-Class Attribute Transfer, 2009,
https://doi.org/10.1109/CVPR.2009.5206594).
"""

import itertools
from typing import NamedTuple

import numpy as np

from kcv.data.scenes import scene as scenes

SIZES = ("small", "large")
SMALL, LARGE = 0.25, 0.32  # side of the frame, share of the image's shorter side
ATTRIBUTES = {
    "shape": scenes.CLASSES,
    "colour": scenes.COLOUR_NAMES,
    "texture": scenes.TEXTURES,
    "material": scenes.MATERIALS,
    "size": SIZES,
}
VALUES = tuple((name, value) for name in ATTRIBUTES for value in ATTRIBUTES[name])
VISIBLE = 0.3  # share of a thing that must be visible for it to be talked about

PAIRS = {
    "colour_shape": ("colour", "shape"),
    "shape_texture": ("shape", "texture"),
}


class Split(NamedTuple):
    """Classes of zero-shot learning.

    Parameters:
        attributes: The two attributes that make a class, keys of `ATTRIBUTES`.
        classes: All classes, tuples of a value of each.
        seen: Indices of the classes of the training set.
        unseen: Indices of the others.
    """

    attributes: tuple[str, str]
    classes: tuple[tuple[str, str], ...]
    seen: tuple[int, ...]
    unseen: tuple[int, ...]


def size_name(thing, height: int, width: int) -> str | None:
    """Says whether a thing is "small" or "large"; None between, where people differ.

    Small is a side below 25 % of the image's shorter side, large one above 32 %.
    """
    side = 2 * thing.size / min(height, width)
    return "small" if side < SMALL else "large" if side > LARGE else None


def of_thing(thing, height: int, width: int) -> dict:
    """Returns {attribute: value} of a thing; a size between the classes is None."""
    return {
        "shape": scenes.CLASSES[thing.category],
        "colour": scenes.COLOUR_NAMES[thing.colour],
        "texture": scenes.TEXTURES[thing.texture],
        "material": scenes.MATERIALS[thing.material],
        "size": size_name(thing, height, width),
    }


def vector(values: dict):
    """Returns float32 (41,), 1 where `VALUES` has a value of {attribute: value}."""
    return np.array([values.get(name) == value for name, value in VALUES], "float32")


def thing_vectors(scene):
    """Returns float32 (n, 41), the attribute vector of each of `scene.things`."""
    vectors = [vector(of_thing(t, scene.height, scene.width)) for t in scene.things]
    return np.array(vectors, "float32").reshape(-1, len(VALUES))


def scene_vector(scene, visibility=None):
    """Returns float32 (41,), 1 where some visible thing has the value.

    Args:
        scene: `Scene`.
        visibility: float (n,), visible share of each thing; all of it by default. Below
            0.3 a thing does not count.
    """
    vectors = thing_vectors(scene)
    if visibility is not None:
        vectors = vectors[np.asarray(visibility) >= VISIBLE]
    return vectors.max(axis=0, initial=0)


def split_classes(pair: str, shapes=scenes.SHAPES, unseen_share=0.25, seed=0) -> Split:
    """Divides classes made of two attributes into seen and unseen ones.

    Args:
        pair: A key of `PAIRS`.
        shapes: Names of the shapes used, of `CLASSES`.
        unseen_share: Share of the classes that is unseen, within 0..0.75; a few fewer
            are taken where more would leave a value without a seen class.
        seed: Which classes.

    Returns:
        `Split`; every value of an unseen class occurs in a seen one.

    Raises:
        ValueError: `pair`, a shape or `unseen_share` is none of the allowed.
    """
    if pair not in PAIRS:
        raise ValueError(f"pair={pair!r} is not one of {sorted(PAIRS)}")
    if unknown := [shape for shape in shapes if shape not in scenes.CLASSES]:
        raise ValueError(f"{unknown[0]!r} is not a class of scenes: see scene.CLASSES")
    if not 0 <= unseen_share <= 0.75:
        raise ValueError(f"unseen_share={unseen_share} is not within 0..0.75")
    values = [shapes if name == "shape" else ATTRIBUTES[name] for name in PAIRS[pair]]
    classes = tuple(itertools.product(*values))
    seen = set(range(len(classes)))
    wanted = round(unseen_share * len(classes))
    for index in np.random.default_rng(seed).permutation(len(classes)).tolist():
        rest = [classes[i] for i in seen if i != index]
        first, second = classes[index]
        known = any(a == first for a, _ in rest) and any(b == second for _, b in rest)
        if known and len(classes) - len(seen) < wanted:
            seen.remove(index)
    unseen = tuple(i for i in range(len(classes)) if i not in seen)
    return Split(PAIRS[pair], classes, tuple(sorted(seen)), unseen)


def columns(split: Split) -> tuple[int, ...]:
    """Returns which of `VALUES` belong to the two attributes that make the classes."""
    return tuple(i for i, (name, _) in enumerate(VALUES) if name in split.attributes)


def class_vectors(split: Split):
    """Returns float32 (classes, values): which values make each class.

    A thing's vector has the same at `columns(split)`.
    """
    own = [VALUES[i] for i in columns(split)]
    rows = [set(zip(split.attributes, values)) for values in split.classes]
    return np.array([[value in row for value in own] for row in rows], "float32")


def class_of(thing, split: Split) -> int:
    """Returns the index of a thing's class; -1 if its shape is none of the classes'."""
    values = of_thing(thing, 1, 1)
    wanted = tuple(values[name] for name in split.attributes)
    return split.classes.index(wanted) if wanted in split.classes else -1


def as_class(thing, split: Split, index: int):
    """Returns the thing changed into a class; place, size and the rest stay."""
    for name, value in zip(split.attributes, split.classes[index]):
        if name == "colour":
            colour = scenes.COLOUR_NAMES.index(value)
            albedo = np.array(scenes.COLOURS[value])
            thing = thing._replace(colour=colour, albedo=albedo)
        elif name == "shape":
            category = scenes.CLASSES.index(value)
            thing = thing._replace(category=category, sprite=-1, joints=None)
        else:
            thing = thing._replace(texture=scenes.TEXTURES.index(value))
    return thing
