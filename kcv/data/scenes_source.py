"""Scenes by name, `scenes/VIEW`: read from files, or drawn when they are asked for.

Files are read some thirty times as fast as scenes are drawn: 2,300 detections of 128
pixels a second and core against 70 on the same, busy machine.
"""

import functools
import hashlib

import numpy as np

from kcv.data.readers.records import Records
from kcv.data.scenes import views
from kcv.data.scenes.config import Config
from kcv.data.scenes.scene import SPLITS

_TOLERANCE = 2  # levels of 255; arithmetic differs a little between processors


def open_split(
    name: str,
    split: str,
    seed: int = 0,
    data_dir=None,
    count: int | None = None,
    draw: bool = False,
    scenes: Config | None = None,
) -> Records:
    """Opens one split of a view of scenes.

    Args:
        name: "scenes/SETTING" with a key of `views.SETTINGS`: "scenes/detection",
            "scenes/pose_64", "scenes/flow_hard_256".
        split: "train", "validation" or "test"; they have nothing in common.
        seed: Other seeds are other data sets.
        data_dir: TFDS's folder; by default ~/tensorflow_datasets. What is not there is
            drawn first, once for all splits.
        count: Number of records; by default that of the setting, 2,000, 250 and 500
            for most. The first records are the same whatever the count.
        draw: Whether no files are used, and each record is drawn whenever it is read.
        scenes: What the scenes are to be like, instead of the setting's `Config`.

    Returns:
        `Records`.

    Raises:
        ValueError: A name, split or count is none of the possible, or the files were
            drawn by other code.
    """
    from kcv.data import scenes_tfds  # registers the builder

    if split not in SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(SPLITS)}")
    setting = name.removeprefix("scenes/")
    config = scenes_tfds.scene_config(setting, seed, scenes=scenes)
    usual = config.counts[split]
    count = usual if count is None else count
    if config.view == "pairs_real" and count > usual:
        raise ValueError(f"{name} has {usual} digits in {split}, not count={count}")
    if count < 1:
        raise ValueError(f"{name} needs a count of 1 or more, not {count}")
    read = functools.partial(views.record, config.view, config.scenes, split, seed)
    if not draw:
        if count > usual:
            counts = {**config.counts, split: count}
            config = scenes_tfds.scene_config(setting, seed, counts, scenes)
        read = _files(config, split, data_dir, read)
    content = (config.view, config.scenes, split, seed, count, views.GENERATOR)
    return Records(
        name=name,
        count=count,
        read=read,
        keys=views.keys(config.view, config.scenes),
        class_names=views.VIEWS[config.view].class_names,
        fingerprint=hashlib.sha256(repr(content).encode()).hexdigest(),
    )


def _files(config, split, data_dir, draw):
    """Returns the function that reads a record from files, drawn if missing."""
    from kcv.data import scenes_tfds

    builder = scenes_tfds.Scenes(config=config, data_dir=data_dir)
    if not builder.is_prepared():
        builder.download_and_prepare()
    source = builder.as_data_source(split)
    keys = views.keys(config.view, config.scenes)

    def read(index):
        stored = source[index]
        return {key: _value(stored[key], dtype) for key, (_, dtype) in keys.items()}

    if not _same(read(0), draw(0)):
        raise ValueError(
            f"{builder.data_dir} was drawn by another version of kcv.data.scenes:"
            " delete it, and it is drawn anew"
        )
    return read


def _value(stored, dtype):
    """An array that may be written to; text as str."""
    if dtype != "str":
        return np.array(stored, dtype)
    if isinstance(stored, bytes):
        return stored.decode()
    return np.array([text.decode() for text in stored], object)


def _same(stored, drawn):
    """Whether two records are the same but for the rounding of a few pixels."""
    for key, value in stored.items():
        other = np.asarray(drawn[key])
        value = np.asarray(value)
        if value.shape != other.shape:
            return False
        if value.dtype.kind in "OU":
            differ = value != other
        else:
            differ = np.abs(value.astype(float) - other) > _TOLERANCE
        if np.count_nonzero(differ) > 0.01 * differ.size:
            return False
    return True
