"""Which features of a TFDS set are which keys of a record.

TFDS names the same things in many ways, and its boxes are fractions (y1, x1, y2, x2).
"""

from typing import NamedTuple

import tensorflow as tf
import tensorflow_datasets as tfds

from kcv.data import preprocess
from kcv.data.readers.record_keys import KEYS

# Names in TFDS by key, the first that a set has counts.
_NAMES = {
    "images": ("image", "image_left"),
    "frames": ("video",),
    "labels": ("label",),
    "semantic": ("segmentation_mask", "segmentation_label", "annotation"),
    "depth": ("depth",),
    "questions": ("question",),
    "answers": ("answer",),
    "image_id": ("image/filename", "file_name", "image_id"),
}
_CROWD = ("is_crowd", "is_difficult", "is_group_of")


class Mapping(NamedTuple):
    """How the examples of a TFDS set become records.

    Parameters:
        keys: {key: (shape, dtype)} of the records.
        class_names: Of the boxes, or else of the label.
        to_record: Function (decoded TFDS example) -> {key: tensor}.
    """

    keys: dict
    class_names: tuple[str, ...]
    to_record: object


def mapping(features):
    """Returns the `Mapping` of the features of a set.

    Args:
        features: `tfds.features.FeaturesDict`.

    Returns:
        None if the set has neither an image nor a video.
    """
    features = dict(features)
    found = {}  # key: function (example) -> tensor
    for key, names in _NAMES.items():
        name = next((name for name in names if name in features), None)
        if name is not None:
            found[key] = _reader(key, name, features[name])
    if "images" not in found and "frames" not in found:
        return None
    class_names = _names(features.get("label"))
    objects = features.get("objects")
    if isinstance(objects, tfds.features.Sequence) and "bbox" in objects.feature:
        objects = dict(objects.feature)
        found |= _object_readers(objects)
        class_names = _names(objects.get("label")) or ("object",)
    captions = features.get("captions")
    if isinstance(captions, tfds.features.Sequence) and "text" in captions.feature:
        found["captions"] = lambda example: example["captions"]["text"]

    keys = {key: KEYS[key] for key in found}
    return Mapping(
        keys,
        class_names,
        lambda example: {
            key: tf.ensure_shape(_cast(read(example), keys[key][1]), keys[key][0])
            for key, read in found.items()
        },
    )


def _reader(key, name, feature):
    """Returns the function (example) -> tensor of one feature."""
    if key == "images":
        return lambda example: _rgb(example[name])
    if key == "semantic":
        return lambda example: example[name][..., 0]
    if key == "depth" and len(feature.shape) == 2:
        return lambda example: example[name][..., None]
    if key == "image_id" and feature.dtype != str:
        return lambda example: tf.strings.as_string(example[name])
    return lambda example: example[name]


def _object_readers(objects):
    """Returns the readers of boxes, classes and crowd."""

    def boxes(example):
        size = tf.cast(tf.shape(example[_image_name(example)])[:2], tf.float32)
        height, width = size[0], size[1]
        y1, x1, y2, x2 = tf.unstack(example["objects"]["bbox"], axis=-1)
        return tf.stack([x1 * width, y1 * height, x2 * width, y2 * height], axis=-1)

    def classes(example):
        if "label" in objects:
            return example["objects"]["label"]
        return tf.zeros_like(example["objects"]["bbox"][:, 0])

    found = {"boxes": boxes, "classes": classes}
    crowd = next((name for name in _CROWD if name in objects), None)
    if crowd:
        found["crowd"] = lambda example: example["objects"][crowd]
    return found


def _image_name(example):
    return next(name for name in _NAMES["images"] if name in example)


def _rgb(image):
    return preprocess.to_channels(preprocess.to_uint8(image), 3)


def _cast(value, dtype):
    return value if dtype == "str" else tf.cast(value, dtype)


def _names(feature):
    if isinstance(feature, tfds.features.ClassLabel):
        return tuple(feature.names)
    return ()
