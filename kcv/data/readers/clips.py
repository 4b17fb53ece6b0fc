"""Records that are clips: some frames of a video file, or of a folder of frames."""

import functools
import os
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kcv.data.readers import file_sets, pictures, video
from kcv.data.readers.records import BadRecord, Records, check_bad, fingerprint

FRAMES = ((None, None, None, 3), "uint8")
KEYS = {"image_id": file_sets.TEXT, "frames": FRAMES, "labels": ((), "int32")}


class Sampling(NamedTuple):
    """Which frames of a video make its clip.

    Parameters:
        frames: How many.
        how: "uniform": the middles of as many equal parts; "clip": consecutive ones
            at `stride`, from the middle of the video, or from anywhere when read with
            a generator of random numbers; "fps": from the start at `fps`.
        stride: 2 takes every second frame, for "clip".
        fps: Frames a second, for "fps". A folder of frames has `folder_fps`.
        folder_fps: What a folder of frames was extracted at.
        min_share: Smallest share of the frames stated by a file that must be there.
    """

    frames: int = 16
    how: str = "uniform"
    stride: int = 1
    fps: float = 10.0
    folder_fps: float = 25.0
    min_share: float = video.MIN_SHARE


DEFAULT = Sampling()


def check(sampling):
    """Raises ValueError for a `Sampling` that makes no sense."""
    file_sets.check_choice("sampling how", sampling.how, ("uniform", "clip", "fps"))
    for name in ("frames", "stride", "fps", "folder_fps"):
        if not getattr(sampling, name) > 0:
            value = getattr(sampling, name)
            raise ValueError(f"sampling {name}={value} is not above 0")


def read_clip(path, sampling, rng=None):
    """Reads a clip of a video file or of a folder of frames.

    Args:
        path: The file or folder; frames are ordered by the numbers in their names.
        sampling: `Sampling`.
        rng: `numpy.random.Generator` for a random place of "clip", or None.

    Returns:
        uint8 (sampling.frames, h, w, 3).

    Raises:
        BadRecord: Missing, undecodable, ends early, frames of several sizes.
    """
    if os.path.isdir(path):
        names = frame_files(path)
        if not names:
            raise BadRecord(f"{path}: no frames in this folder: extract them again")
        times = np.arange(len(names)) / sampling.folder_fps
        frames = [
            pictures.read_image(names[index])
            for index in _indices(times, sampling, rng)
        ]
        if len(shapes := {frame.shape for frame in frames}) > 1:
            raise BadRecord(
                f"{path}: frames of several sizes, {sorted(shapes)}: extract them again"
            )
        return np.stack(frames)
    file_sets.check_file(path, "video")
    looked = video.look(path, sampling.min_share)
    indices = _indices(looked.times, sampling, rng)
    return video.read_frames(looked, indices, sampling.min_share)


def _indices(times, sampling, rng):
    count, frames, stride = len(times), sampling.frames, sampling.stride
    if sampling.how == "uniform":
        return video.uniform_indices(count, frames)
    if sampling.how == "fps":
        return video.fps_indices(times, sampling.fps, frames)
    if rng is not None:
        return video.random_indices(count, frames, rng, stride)
    start = max(count - (frames - 1) * stride - 1, 0) // 2
    return video.clip_indices(count, frames, start, stride)


def frame_files(folder):
    """Returns the pictures of a folder, in the order of the numbers in their names."""
    entries = [entry for entry in os.scandir(folder) if _is_picture(entry.name)]
    return [entry.path for entry in sorted(entries, key=lambda e: _numbered(e.name))]


def _is_picture(name):
    return not name.startswith(".") and name.lower().endswith(pictures.SUFFIXES)


def _numbered(name):
    """frame_9 comes before frame_10."""
    return [int(p) if p.isdecimal() else p for p in re.split(r"(\d+)", name)]


def find(folder, name):
    """Returns the path of a video, or of the folder of its frames without the suffix.

    Args:
        folder: Where the videos of a set are.
        name: "class/video.avi" of a list of a set; other suffixes are found too.
    """
    path = pathlib.Path(folder, name)
    if path.is_file():
        return path
    candidates = [path.with_suffix(suffix) for suffix in ("", *video.SUFFIXES)]
    return next((other for other in candidates if other.exists()), path)


def open_clips(
    name: str,
    items: Sequence[tuple[str, str, int | None]],
    sampling: Sampling,
    class_names: Sequence[str],
    max_bad_share: float,
    bad: Sequence[str] = (),
    source: str = "the list",
) -> Records:
    """Makes `Records` of clips, after looking that the videos are there.

    `read(index, rng=None)` takes a generator for random clips.

    Args:
        name: What the user opened.
        items: (image_id, path, class or None) of each video.
        sampling: `Sampling`.
        class_names: Class i is `class_names[i]`.
        max_bad_share: Largest share of malformed records.
        bad: What was malformed in the lists.
        source: What names the videos, for messages.

    Raises:
        ValueError: No videos, too many malformed ones or an impossible sampling.
    """
    check(sampling)
    good, bad = [], list(bad)
    for item in items:
        try:
            if not os.path.isdir(item[1]):
                file_sets.check_file(item[1], f"video that {source} names")
            good.append(item)
        except BadRecord as error:
            bad.append(str(error))
    check_bad(name, bad, len(good) + len(bad), max_bad_share, "videos")
    keys = KEYS
    if any(label is None for _, _, label in good):
        keys = {key: value for key, value in KEYS.items() if key != "labels"}
    return Records(
        name,
        len(good),
        functools.partial(_read, good, sampling),
        keys,
        tuple(class_names),
        fingerprint([path for _, path, _ in good], *[i for i, _, _ in good]),
        tuple(bad),
        max_bad_share,
    )


def _read(items, sampling, index, rng=None):
    image_id, path, label = items[index]
    record = {"image_id": image_id, "frames": read_clip(path, sampling, rng)}
    return record if label is None else {**record, "labels": np.int32(label)}
