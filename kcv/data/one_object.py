"""Detection sets as pictures of one thing: its class and its box.

Of scenes, pictures with exactly one thing are drawn. Of all other sets the largest box
counts, those of crowds after the others; a picture without one has the label -1.
"""

import tensorflow as tf

from kcv.data import fit, objects, structured

# What the scenes of one thing have in place of a detector's.
_ONE = {
    **{"min_objects": 1, "max_objects": 1, "people": (0, 0)},
    **{"sizes": (0.3, 0.7), "occlusion": 0.0},
}


def open_split(name, split, seed=0, **options):
    """Opens one split of a detection set.

    Args:
        name: "scenes/detection", "scenes/detection_easy_64" or another setting of that
            view, or "FORMAT:PATH" of `kcv.data.source`.
        split: "train", "validation" or "test".
        seed: As for `kcv.data.source`.
        **options: Likewise. `count` of scenes is that of the training split.

    Returns:
        `Source` whose records have images, boxes and classes.

    Raises:
        ValueError: The set has no boxes.
    """
    if name.startswith("scenes/detection"):
        options = {**options, "scenes": _one_thing(name)}
    source = objects.open_split(name, split, seed=seed, **options)
    names = source.class_names
    if name.startswith("scenes/detection"):
        names = tuple(each for each in names if each != "person")  # the last
    return source._replace(class_names=names)


def batches(source, batch_size, image_shape, pixel_range, **options):
    """Makes the batches of one epoch.

    Args:
        source: From `open_split`.
        batch_size: As for `structured_batches`.
        image_shape: Likewise.
        pixel_range: Likewise.
        **options: Likewise.

    Returns:
        `tf.data.Dataset` of {"images": float32 (b, h, w, c), "labels": int32 (b,),
        "boxes": float32 (b, 4), x1, y1, x2, y2 in pixels of the batch's images}.
    """
    data = structured.structured_batches(
        source,
        batch_size,
        image_shape,
        pixel_range,
        slots=fit.Slots(objects=1),
        **options,
    )
    return data.map(_first)


def _first(batch):
    labels = batch["classes"][:, 0]
    if "crowd" in batch:  # no single object, or too difficult to count
        labels = tf.where(batch["crowd"][:, 0] > 0, -1, labels)
    return {"images": batch["images"], "labels": labels, "boxes": batch["boxes"][:, 0]}


def _one_thing(name):
    """The `Config` of scenes with one thing, as hard as the setting says."""
    from kcv.data.scenes import scene, views

    setting = name.removeprefix("scenes/")
    if setting not in views.SETTINGS:
        return None  # the reader says so
    things = {"categories": (*scene.SHAPES, *scene.DIGITS)}
    return views.SETTINGS[setting][1]._replace(**_ONE, **things)
