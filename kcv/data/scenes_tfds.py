"""Scenes as a data set of TensorFlow Datasets; importing this registers "scenes".

    tfds.load("scenes/detection_64", split="train")
    tfds.builder("scenes/pose_hard_256")
    tfds.data_source("scenes/captions")

The configs are `views.SETTINGS`: VIEW, VIEW_SIZE, VIEW_DIFFICULTY and
VIEW_DIFFICULTY_SIZE. Nothing is downloaded: the scenes are drawn when they are first
asked for, into array_record files that can be read in any order. 2,000 + 250 + 500
detections of 128 pixels are 120 MB.
"""

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import os
import pathlib
import shutil
import sys

import numpy as np
import rich.console
import rich.progress
import tensorflow_datasets as tfds
from absl import logging

from kcv.data import scenes_shards
from kcv.data.scenes import views
from kcv.data.scenes.config import Config
from kcv.data.scenes.scene import SPLITS

_FORMAT = tfds.core.FileFormat.ARRAY_RECORD
_RAW = tfds.decode.DeserializeMethod.RAW_BYTES
_CHUNK = 16  # records that TensorFlow asks Python for at a time


@dataclasses.dataclass(eq=False, repr=False)
class SceneConfig(tfds.core.BuilderConfig):
    """What is in a data set of scenes; make it by `scene_config`.

    Parameters:
        view: A key of `views.VIEWS`.
        scenes: `Config` of the scenes.
        counts: {split: number of records}.
        seed: Of the data set.
    """

    view: str = "detection"
    scenes: Config = Config()
    counts: dict = dataclasses.field(default_factory=dict)
    seed: int = 0

    def __repr__(self):
        return f"{self.name}:{self.version} {self.counts} seed {self.seed}"


def scene_config(
    setting: str = "detection",
    seed: int = 0,
    counts: dict | None = None,
    scenes: Config | None = None,
) -> SceneConfig:
    """Makes a config, `tfds.builder("scenes", config=scene_config(...))`.

    Its version tells data sets apart that differ in anything; it changes with
    `views.GENERATOR`, too, so that no old files are read.

    Args:
        setting: A key of `views.SETTINGS`.
        seed: Of the data set.
        counts: {split: number of records}, where others than usual are wanted.
        scenes: Of what the setting's scenes are not to be taken.

    Raises:
        ValueError: The setting, a split or a count is none of the possible.
    """
    if setting not in views.SETTINGS:
        raise ValueError(
            f"unknown scenes {setting!r}: VIEW[_easy|_hard][_64|_256] with a VIEW of"
            f" {', '.join(views.VIEWS)}"
        )
    view, usual = views.SETTINGS[setting]
    counts = {**views.VIEWS[view].counts, **(counts or {})}
    for split, count in counts.items():
        if split not in SPLITS or count < 1:
            raise ValueError(
                f"counts has {split!r}: {count}; {', '.join(SPLITS)} need 1 or more"
            )
    counts = tuple((split, counts[split]) for split in SPLITS)
    return _config(views.GENERATOR, setting, scenes or usual, counts, seed)


@functools.cache  # TFDS wants its registered configs themselves, not equal ones
def _config(generator, setting, scenes, counts, seed):
    view, usual = views.SETTINGS[setting]
    content = (generator, view, scenes, counts, seed)
    digest = hashlib.sha256(repr(content).encode()).hexdigest()
    is_usual = (scenes, dict(counts), seed) == (usual, views.VIEWS[view].counts, 0)
    return SceneConfig(
        name=setting if is_usual else f"{setting}-{digest[:8]}",
        version=f"{generator}.0.{int(digest[:6], 16)}",
        description=f"Seed {seed}; {scenes}",
        view=view,
        scenes=scenes,
        counts=dict(counts),
        seed=seed,
    )


class Scenes(tfds.core.DatasetBuilder):
    """Drawn scenes whose every truth is known."""

    BUILDER_CONFIGS = [scene_config(setting) for setting in views.SETTINGS]
    DEFAULT_BUILDER_CONFIG_NAME = "detection"

    def _info(self):
        config = self.builder_config
        spec = scenes_shards.features(config.view, config.scenes)
        pair = next((x for x in ("images", "frames") if x in spec), None), "labels"
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{self.__doc__} Class i is the i-th of"
            f" {views.VIEWS[config.view].class_names}.",
            features=spec,
            supervised_keys=pair if "labels" in spec else None,
        )

    def is_prepared(self):
        """Whether all files are there."""
        return (self.data_path / "dataset_info.json").exists()

    def download_and_prepare(
        self,
        *,
        download_dir=None,
        download_config=None,
        file_format=None,
        permissions=None,
    ):
        """Draws what is missing; other processes that want the same wait meanwhile.

        A run that was killed is continued. Nothing is downloaded.

        Args:
            download_dir: Not used.
            download_config: Its `download_mode` may ask to draw anew.
            file_format: "array_record" or None.
            permissions: Not used.
        """
        del download_dir, permissions
        if file_format not in (None, _FORMAT, _FORMAT.value):
            raise ValueError(f"scenes are stored as array_record, not as {file_format}")
        anew = download_config and download_config.download_mode.overwrite_dataset
        with _locked(pathlib.Path(self.data_dir)):
            if anew or not self.is_prepared():
                self._download_and_prepare()
        self.info.read_from_directory(self.data_dir)

    def _download_and_prepare(self, dl_manager=None, download_config=None):
        """Draws into a hidden folder that in the end becomes the data set."""
        del dl_manager, download_config
        done = pathlib.Path(self.data_dir)
        folder = _partial(done)
        folder.mkdir(parents=True, exist_ok=True)
        shards = {split: self._shards(folder, split) for split in SPLITS}
        everything = [shard for split in SPLITS for shard in shards[split]]
        _draw(everything, f"scenes/{self.builder_config.name}")
        for left in folder.glob(".*"):  # by a process that was killed
            left.unlink()
        self.info.set_file_format(_FORMAT, override=True, override_if_initialized=True)
        infos = [_split_info(split, shards[split]) for split in SPLITS]
        self.info.set_splits(tfds.core.SplitDict(infos))
        self.info.write_to_directory(folder)
        shutil.rmtree(done, ignore_errors=True)
        folder.rename(done)

    def _shards(self, folder, split):
        config = self.builder_config
        count = config.counts[split]
        starts = range(0, count, scenes_shards.RECORDS)
        template = tfds.core.ShardedFileTemplate(
            data_dir=folder,
            dataset_name=self.name,
            split=split,
            filetype_suffix=_FORMAT.file_suffix,
        )
        return [
            scenes_shards.Shard(
                config.view,
                config.scenes,
                split,
                config.seed,
                start,
                min(start + scenes_shards.RECORDS, count),
                os.fspath(
                    template.sharded_filepath(shard_index=i, num_shards=len(starts))
                ),
            )
            for i, start in enumerate(starts)
        ]

    def _as_dataset(self, split, decoders=None, read_config=None, shuffle_files=False):
        """Reads array_record files, which TFDS by itself does not give to tf.data.

        `shuffle_files` shuffles all records.
        """
        import tensorflow as tf  # only this needs it: drawing and data_source do not

        source = self.as_data_source(split, deserialize_method=_RAW)
        spec = self.info.features
        if isinstance(decoders, tfds.decode.PartialDecoding):
            spec, decoders = decoders.extract_features(spec), decoders.decoders

        def read(indices):
            return np.array([source[index] for index in indices], object)

        def fetch(indices):
            rows = tf.numpy_function(read, [indices], tf.string)
            return tf.ensure_shape(rows, (None,))

        data = tf.data.Dataset.range(len(source))
        if share := read_config.input_context:
            data = data.shard(share.num_input_pipelines, share.input_pipeline_id)
        if shuffle_files:
            data = data.shuffle(
                len(source),
                read_config.shuffle_seed,
                read_config.shuffle_reshuffle_each_iteration,
            )
        if read_config.repeat_filenames:
            data = data.repeat()
        size = data.cardinality()
        data = data.batch(_CHUNK).map(fetch).unbatch()
        data = data.map(
            lambda row: spec.deserialize_example(row, decoders=decoders),
            num_parallel_calls=read_config.num_parallel_calls_for_decode,
        )
        data = data.apply(tf.data.experimental.assert_cardinality(size))
        return data.with_options(read_config.options)


def _partial(done):
    """The hidden folder of a data set that is being drawn."""
    return done.with_name(f".{done.name}.partial")


@contextlib.contextmanager
def _locked(done):
    """Keeps other processes from drawing the same; ends with the process at latest."""
    done.parent.mkdir(parents=True, exist_ok=True)
    with open(done.with_name(f".{done.name}.lock"), "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logging.warning("another process draws %s; waiting for it", done)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _draw(shards, title):
    """Draws the files that are not there yet, with a bar on a terminal."""
    missing = [shard for shard in shards if not os.path.exists(shard.path)]
    total, left = (
        sum(shard.stop - shard.start for shard in part) for part in (shards, missing)
    )
    logging.info("drawing %d records of %s", left, title)
    bar = rich.progress.Progress(
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
        console=rich.console.Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(f"drawing {title}", total=total, completed=total - left)
        scenes_shards.write_all(missing, lambda count: bar.advance(task, count))


def _split_info(split, shards):
    return tfds.core.SplitInfo(
        name=split,
        shard_lengths=[shard.stop - shard.start for shard in shards],
        num_bytes=sum(os.path.getsize(shard.path) for shard in shards),
    )
