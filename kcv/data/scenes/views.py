"""Views: what of a scene a task learns from.

    classification   one big thing; labels
    detection        boxes, classes, crowd, masks
    digits           handwritten digits over photographs: boxes, classes, crowd
    segmentation     semantic, 0 for the background
    scribbles        the same, in training only along scribbles, else 255
    points           the same, in training only at one pixel of each region, else 255
    pose             people: keypoints, boxes, classes (all 0), crowd
    depth            depth, normals, albedo, shading
    flow             next_images, flow, flow_backward, occlusion
    video            frames; labels: the action, of `actions.ACTIONS`
    captions         captions, five
    questions        questions, answers, answer_class, choices; 2i and 2i + 1 ask the
                     same of two scenes and have different answers
    relations        boxes, classes, crowd; relations (n, n, 14) of `RELATIONS`, padded
                     with -1 ("unsure") to as many things as there can be
    attributes       labels: one of 120 pairs of a colour and a shape, 30 of which occur
                     in half of the test split only; attributes: those of the thing
    pairs            images and labels of printed digits; next_images: handwritten ones,
                     of no particular digit
    pairs_synthetic  printed digits
    pairs_real       handwritten digits

`crowd` is 1 for things of which less than a tenth is visible: too difficult to count in
an evaluation. Of what is hidden altogether nothing is said.
"""

from collections.abc import Callable
from typing import NamedTuple

from kcv.data.readers.record_keys import KEYS
from kcv.data.scenes import actions, attributes, pairs, programs, view_records
from kcv.data.scenes import relations as graphs
from kcv.data.scenes import scene as scenes
from kcv.data.scenes.config import DIFFICULTIES, Config
from kcv.data.scenes.view_records import CAPTIONS, CHOICES, FRAMES, ZERO_SHOT

GENERATOR = 1  # raise it when the same arguments give other records: files are redrawn
SIZES = (64, 128, 256)  # pixels, of the named settings; 128 where none is named
COUNTS = {"train": 2000, "validation": 250, "test": 500}  # records of a named setting


class View(NamedTuple):
    """A view.

    Parameters:
        read: `read(config, split, seed, index)` draws a record.
        keys: Names of what it has.
        class_names: Class i is `class_names[i]`.
        changes: What its scenes need, other than those of a difficulty.
        counts: {split: number of records} of a named setting.
    """

    read: Callable
    keys: tuple[str, ...]
    class_names: tuple[str, ...]
    changes: dict
    counts: dict = COUNTS


def record(view: str, config: Config, split: str, seed: int, index: int) -> dict:
    """Draws a record.

    Args:
        view: A key of `VIEWS`.
        config: From `config_of`, or what differs from it.
        split: "train", "validation" or "test".
        seed: Of the data set.
        index: Of the record.

    Returns:
        {key: NumPy array or text}, see `keys`.

    Raises:
        ValueError: The view or split is unknown, or the config does not suit the
            view.
    """
    return _view(view).read(config, split, seed, index)


def config_of(view: str, size: int = 128, difficulty: str = "default") -> Config:
    """Returns the `Config` of a view's scenes.

    Args:
        view: A key of `VIEWS`.
        size: Height and width, pixels; digits of pairs have 32.
        difficulty: A key of `DIFFICULTIES`.
    """
    if difficulty not in DIFFICULTIES:
        known = ", ".join(DIFFICULTIES)
        raise ValueError(f"difficulty {difficulty!r} is not one of {known}")
    config = DIFFICULTIES[difficulty]._replace(height=size, width=size)
    changes = dict(_view(view).changes)
    if "max_objects" in changes:  # a change is a limit
        most = min(config.max_objects, changes["max_objects"])
        least = max(config.min_objects, changes.get("min_objects", 0))
        changes |= {"max_objects": most, "min_objects": min(least, most)}
    return config._replace(**changes)


def keys(view: str, config: Config) -> dict:
    """Returns {key: (shape, dtype)} of a view's records, None for what varies."""
    size = (config.height, config.width)
    most = config.max_objects + config.people[1]
    shapes = {
        "masks": (None, *size),
        "frames": (FRAMES, *size, 3),
        "keypoints": (None, len(scenes.JOINTS), 3),
        "attributes": (len(attributes.VALUES),),
        "captions": (CAPTIONS,),
        "choices": (CHOICES,),
        "relations": (most, most, len(graphs.RELATIONS)),
    }
    found = {}
    for key in _view(view).keys:
        usual, dtype = KEYS.get(key, (None, "int8"))
        if usual and usual[:2] == (None, None):
            usual = (*size, *usual[2:])
        found[key] = shapes.get(key, usual), dtype
    return found


def _view(name):
    if name not in VIEWS:
        raise ValueError(f"unknown view of scenes {name!r}: one of {', '.join(VIEWS)}")
    return VIEWS[name]


_ONE = {"min_objects": 1, "max_objects": 1, "people": (0, 0), "occlusion": 0.0}
_FEW = {"min_objects": 1, "max_objects": 4}
_SOME = {"min_objects": 2, "max_objects": 8}
_MIXED = {"people": (0, 1)}
_DIGIT = {"height": pairs.IMAGE_SIZE, "width": pairs.IMAGE_SIZE}
_SEMANTIC = (("images", "semantic"), ("background", *scenes.CLASSES), _MIXED)
_OBJECTS = ("images", "boxes", "classes", "crowd")
_FLOW = ("images", "next_images", "flow", "flow_backward", "occlusion")
_LABELS = ("images", "labels")
_QUESTION = ("images", "questions", "answers", "answer_class", "choices")
_ZERO_SHOT_NAMES = tuple(" ".join(values) for values in ZERO_SHOT.classes)
_DIGITS = tuple(str(digit) for digit in range(10))
_SMALL_COUNTS = {"train": 1000, "validation": 125, "test": 250}
_REAL_COUNTS = {split: pairs.num_real(split) for split in scenes.SPLITS}

VIEWS = {
    "classification": View(
        view_records.classification,
        _LABELS,
        scenes.CLASSES[: scenes.PERSON],
        {**_ONE, "sizes": (0.5, 0.9)},
    ),
    "detection": View(
        view_records.detection, (*_OBJECTS, "masks"), scenes.CLASSES, _MIXED
    ),
    "digits": View(
        view_records.scattered_digits,
        _OBJECTS,
        _DIGITS,
        {
            **{"categories": scenes.DIGITS, "people": (0, 0)},
            **{"backgrounds": ("photograph",), "textures": ("plain",)},
        },
    ),
    "segmentation": View(view_records.segmentation, *_SEMANTIC),
    "scribbles": View(view_records.scribbles, *_SEMANTIC),
    "points": View(view_records.points, *_SEMANTIC),
    "pose": View(
        view_records.pose,
        (*_OBJECTS, "keypoints"),
        ("person",),
        {**_FEW, "people": (1, 3)},
    ),
    "depth": View(
        view_records.depth,
        ("images", "depth", "normals", "albedo", "shading"),
        (),
        _MIXED,
        _SMALL_COUNTS,
    ),
    "flow": View(view_records.flow, _FLOW, (), {**_SOME, **_MIXED}, _SMALL_COUNTS),
    "video": View(
        view_records.video, ("frames", "labels"), actions.ACTIONS, _FEW, _SMALL_COUNTS
    ),
    "captions": View(
        view_records.captions, ("images", "captions"), (), {**_SOME, **_MIXED}
    ),
    "questions": View(
        view_records.questions, _QUESTION, programs.ANSWERS, {**_SOME, **_MIXED}
    ),
    "relations": View(
        view_records.relations,
        (*_OBJECTS, "relations"),
        scenes.CLASSES,
        {**_SOME, **_MIXED},
    ),
    "attributes": View(
        view_records.attributes,
        (*_LABELS, "attributes"),
        _ZERO_SHOT_NAMES,
        {**_ONE, "categories": scenes.SHAPES, "sizes": (0.18, 0.7)},
    ),
    "pairs": View(view_records.pairs, (*_LABELS, "next_images"), _DIGITS, _DIGIT),
    "pairs_synthetic": View(view_records.pairs_synthetic, _LABELS, _DIGITS, _DIGIT),
    "pairs_real": View(view_records.pairs_real, _LABELS, _DIGITS, _DIGIT, _REAL_COUNTS),
}


def _named():
    """Yields (name, view, config) of every named setting."""
    for view in VIEWS:
        if "height" in VIEWS[view].changes:
            yield view, view, config_of(view)
            continue
        for difficulty in DIFFICULTIES:
            for size in SIZES:
                name = view
                name += "" if difficulty == "default" else f"_{difficulty}"
                name += "" if size == 128 else f"_{size}"
                yield name, view, config_of(view, size, difficulty)


SETTINGS = {name: (view, config) for name, view, config in _named()}
