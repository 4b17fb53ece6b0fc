"""Draws the records of the views, see `views`.

Each function takes (config, split, seed, index) and returns a record, {key: array or
text}.
"""

import functools

import numpy as np

from kcv.data.scenes import attributes as vectors
from kcv.data.scenes import captions as captioning
from kcv.data.scenes import clip, weak
from kcv.data.scenes import flow as flows
from kcv.data.scenes import pairs as digits
from kcv.data.scenes import questions as asking
from kcv.data.scenes import relations as graphs
from kcv.data.scenes import scene as scenes
from kcv.data.scenes.render import render
from kcv.data.scenes.sample import sample

FRAMES = 8  # of a clip
CAPTIONS = 5
CHOICES = 4
HARDLY = 0.1  # visible share below which a thing is too difficult to count
ZERO_SHOT = vectors.split_classes("colour_shape")
_FAR = 2**40  # from one scene to the one that takes its place
_TRIES = 100


def _draw(config, split, seed, index, *want):
    scene = sample(config, split, seed, index)
    return scene, render(scene, frozenset(want))


def _random(scene):
    """Random numbers of a record that are not those of its scene."""
    return np.random.default_rng((*scene.key, 0x71E3))


def _select(drawn, *names):
    return {name: drawn[name] for name in names}


def _objects(drawn):
    """What is visible at all."""
    kept = drawn["visibility"] > 0
    hardly = drawn["visibility"][kept] < HARDLY
    return kept, {
        "boxes": drawn["boxes"][kept],
        "classes": drawn["classes"][kept],
        "crowd": hardly.astype(np.uint8),
    }


def classification(config, split, seed, index):
    """One big thing."""
    scene, drawn = _draw(config, split, seed, index)
    if len(scene.things) != 1:
        raise ValueError(
            f"a picture to classify has one thing, not {len(scene.things)}: set"
            " min_objects, max_objects and people to 1, 1 and (0, 0)"
        )
    return drawn | {"labels": np.int32(scene.things[0].category)}


def detection(config, split, seed, index):
    """Boxes and masks of what is visible."""
    _, drawn = _draw(config, split, seed, index, "boxes", "masks")
    kept, objects = _objects(drawn)
    return {"images": drawn["images"], **objects, "masks": drawn["masks"][kept]}


def scattered_digits(config, split, seed, index):
    """Boxes of handwritten digits; nothing else is there."""
    _, drawn = _draw(config, split, seed, index, "boxes")
    _, objects = _objects(drawn)
    first = scenes.CLASSES.index(scenes.DIGITS[0])
    objects["classes"] = objects["classes"] - np.int32(first)
    return _select(drawn, "images") | objects


def segmentation(config, split, seed, index):
    """The class of every pixel."""
    return _draw(config, split, seed, index, "semantic")[1]


def scribbles(config, split, seed, index):
    """In training, the classes along scribbles."""
    return _weakly(config, split, seed, index, weak.scribble_labels)


def points(config, split, seed, index):
    """In training, the class of one pixel of each region."""
    return _weakly(config, split, seed, index, weak.point_labels)


def _weakly(config, split, seed, index, choose):
    scene, drawn = _draw(config, split, seed, index, "semantic")
    if split == "train":  # what is evaluated is whole
        drawn["semantic"] = choose(drawn["semantic"], _random(scene))
    return drawn


def pose(config, split, seed, index):
    """People and their joints."""
    _, drawn = _draw(config, split, seed, index, "boxes", "keypoints")
    kept, objects = _objects(drawn)
    people = objects["classes"] == scenes.PERSON
    objects = {name: value[people] for name, value in objects.items()}
    shown = kept[drawn["classes"] == scenes.PERSON]
    objects["classes"] = np.zeros_like(objects["classes"])
    return _select(drawn, "images") | objects | {"keypoints": drawn["keypoints"][shown]}


def depth(config, split, seed, index):
    """Distance, normals, and what is paint and what is light."""
    _, drawn = _draw(config, split, seed, index, "depth", "normals", "albedo")
    return _select(drawn, "images", "depth", "normals", "albedo", "shading")


def flow(config, split, seed, index):
    """Two frames and how their pixels move."""
    first, second = clip.sample_clip(config, split, seed, index, 2)
    there, occlusion = flows.flow(first, second)
    return {
        "images": render(first)["images"],
        "next_images": render(second)["images"],
        "flow": there,
        "flow_backward": flows.flow(second, first)[0],
        "occlusion": occlusion,
    }


def video(config, split, seed, index):
    """A clip and its action."""
    shown = clip.sample_clip(config, split, seed, index, FRAMES)
    frames = np.stack([render(scene)["images"] for scene in shown])
    return {"frames": frames, "labels": np.int32(clip.draw_action(split, seed, index))}


def captions(config, split, seed, index):
    """Five captions of a scene."""
    scene, drawn = _draw(config, split, seed, index, "boxes")
    graph = graphs.scene_graph(scene, drawn["visibility"])
    told = captioning.captions(graph, _random(scene), CAPTIONS)
    texts = np.array([caption.text for caption in told], object)
    return {"images": drawn["images"], "captions": texts}


def questions(config, split, seed, index):
    """A question; its neighbour asks the same and has another answer."""
    question, image = _asked(config, split, seed, index // 2)[index % 2]
    choices = [*question.choices, *[""] * (CHOICES - len(question.choices))]
    return {
        "images": image,
        "questions": question.text,
        "answers": question.answer,
        "answer_class": np.int32(question.answer_class),
        "choices": np.array(choices, object),
    }


@functools.lru_cache(4)  # neighbours are mostly read one after the other
def _asked(config, split, seed, pair):
    """Returns two times a `Question` and the image that it is asked of."""
    for attempt in range(_TRIES):
        first = 2 * pair + attempt * _FAR
        sides, images = [], []
        for index in (first, first + 1):
            scene, drawn = _draw(config, split, seed, index, "boxes")
            sides.append(asking.prepare(graphs.scene_graph(scene, drawn["visibility"])))
            images.append(drawn["images"])
        random = np.random.default_rng((*scene.key, 0xA5C))
        if found := asking.ask(*sides, random):
            return tuple(zip(found, images))
    raise ValueError(
        f"no question was found to ask of {2 * _TRIES} scenes: set max_objects higher"
        f" than {config.max_objects}"
    )


def relations(config, split, seed, index):
    """Boxes and how the things lie to each other."""
    scene, drawn = _draw(config, split, seed, index, "boxes")
    _, objects = _objects(drawn)
    graph = graphs.scene_graph(scene, drawn["visibility"])
    count, most = len(graph.nodes), config.max_objects + config.people[1]
    padded = np.full((most, most, len(graphs.RELATIONS)), graphs.UNSURE, np.int8)
    for i, name in enumerate(graphs.RELATIONS):
        padded[:count, :count, i] = graph.relations[name]
    return {"images": drawn["images"], **objects, "relations": padded}


def attributes(config, split, seed, index):
    """A class made of a colour and a shape, some of them not in training."""
    scene = sample(config, split, seed, index)
    random = _random(scene)
    unseen = split == "test" and random.random() < 0.5
    label = random.choice(ZERO_SHOT.unseen if unseen else ZERO_SHOT.seen)
    things = [vectors.as_class(thing, ZERO_SHOT, label) for thing in scene.things]
    scene = scene._replace(things=tuple(things))
    return {
        "images": render(scene)["images"],
        "labels": np.int32(label),
        "attributes": vectors.thing_vectors(scene)[-1],
    }


def pairs(config, split, seed, index):
    """A printed digit and, unlabelled, a handwritten one."""
    del config
    record = digits.synthetic(split, seed, index)
    random = np.random.default_rng((seed, scenes.SPLITS.index(split), index, 0xDA))
    other = digits.real(split, int(random.integers(digits.num_real(split))))
    return record | {"next_images": other["images"]}


def pairs_synthetic(config, split, seed, index):
    """A printed digit."""
    del config
    return digits.synthetic(split, seed, index)


def pairs_real(config, split, seed, index):
    """A handwritten digit."""
    del config, seed
    return digits.real(split, index)
