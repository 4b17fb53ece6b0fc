"""Videos in folders: plain folders of classes, and Kinetics with its csv.

Paper: Kay et al., The Kinetics Human Action Video Dataset, 2017,
https://arxiv.org/abs/1705.06950. A folder of frames serves wherever a video does.
"""

import csv
import hashlib
import os
import pathlib

from kcv.data.readers import clips, file_sets, json_lists, video
from kcv.data.readers.clips import DEFAULT

_SPLIT_FOLDERS = {
    "train": ("train",),
    "validation": ("validation", "val", "validate"),
    "test": ("test",),
}
_TENTHS = {"validation": 8, "test": 9}  # the others are for training


def open_kinetics(
    path, split, *, annotations=None, sampling=DEFAULT, max_bad_share=0.01
):
    """Opens Kinetics: a csv and videos YOUTUBEID_000012_000022.mp4 in any folders.

    Many of its videos have left YouTube, so `max_bad_share` is often to be raised.

    Args:
        path: The folder of the videos.
        split: "train", "validation" or "test".
        annotations: The csv with label, youtube_id, time_start and time_end, or a
            folder of train.csv, validate.csv (or val.csv) and test.csv; PATH by
            default. If there is train.csv, classes are those of train.csv.
        sampling: `Sampling`.
        max_bad_share: Largest share of malformed videos.

    Returns:
        `Records` with frames, and labels if the csv has them.

    Raises:
        FileNotFoundError: No folder or no csv.
        ValueError: An unknown split, another csv, or too many malformed videos.
    """
    file_sets.check_choice("split", split, _SPLIT_FOLDERS)
    file_sets.check_folder(path, "the videos of Kinetics, YOUTUBEID_000012_000022.mp4")
    given = pathlib.Path(annotations or path)
    folder = given if given.is_dir() else given.parent
    candidates = [folder / f"{name}.csv" for name in _SPLIT_FOLDERS[split]]
    if not given.is_dir():
        candidates = [given]
    file = next((c for c in candidates if c.is_file()), candidates[0])
    rows = _csv_rows(file)
    train = folder / "train.csv"
    labelled = _csv_rows(train) if train.is_file() else rows
    names = sorted({row["label"] for row in labelled if row.get("label")})
    labels = {name: number for number, name in enumerate(names)}
    found = _stems(path)
    items, bad = [], []
    for row in rows:
        try:
            times = f"{int(row['time_start']):06d}_{int(row['time_end']):06d}"
        except (TypeError, ValueError):
            bad.append(f"{file}: {row['youtube_id']}: times that are no whole seconds")
            continue
        label = row.get("label")
        if label and label not in labels:
            bad.append(f"{file}: {label!r} is no class of {train}: correct the row")
            continue
        stem = f"{row['youtube_id']}_{times}"
        where = found.get(stem, os.path.join(path, f"{stem}.mp4"))
        items.append((stem, where, labels[label] if label else None))
    return clips.open_clips(
        str(path), items, sampling, names, max_bad_share, bad, str(file)
    )


def open_folder(path, split, *, seed=0, sampling=DEFAULT, max_bad_share=0.01):
    """Opens class folders of videos, or of folders of frames: PATH/CLASS/VIDEO.

    If PATH holds train/ these are the splits: train, validation (or val) and test. Else
    a tenth each is for validation and test, by a hash of the name.

    Args:
        path: The folder.
        split: "train", "validation" or "test".
        seed: Changes which videos the hash takes for validation and test.
        sampling: `Sampling`.
        max_bad_share: Largest share of malformed videos.

    Returns:
        `Records` with frames and labels.

    Raises:
        FileNotFoundError: No folder, or none for this split.
        ValueError: An unknown split, no videos, or too many malformed ones.
    """
    file_sets.check_choice("split", split, _SPLIT_FOLDERS)
    file_sets.check_folder(path, "a folder for each class, with its videos")
    root = pathlib.Path(path)
    is_cut = (root / "train").is_dir()
    folders = [root / name for name in _SPLIT_FOLDERS[split]] if is_cut else [root]
    folder = next((f for f in folders if f.is_dir()), None)
    if folder is None:
        raise FileNotFoundError(f"{root} has train but not {folders[0].name}: make it")
    names = _visible(root / "train" if is_cut else root)
    if unknown := sorted(set(_visible(folder)) - set(names)):
        raise ValueError(
            f"{folder} has the class {unknown[0]!r} that {root / 'train'} lacks: add"
            " videos to train or remove the folder"
        )
    items = []
    for label, class_name in enumerate(names):
        for name in _videos(folder / class_name):
            image_id = f"{class_name}/{name}"
            if is_cut or _tenth(image_id, seed) == split:
                items.append((image_id, folder / class_name / name, label))
    return clips.open_clips(str(path), items, sampling, names, max_bad_share)


def _csv_rows(file):
    rows = list(csv.DictReader(json_lists.read_text(file).splitlines()))
    needed = {"youtube_id", "time_start", "time_end"}
    if not rows or (missing := needed - set(rows[0])):
        raise ValueError(
            f"{file}: no rows with {', '.join(sorted(missing if rows else needed))}:"
            " take the csv as released"
        )
    return rows


def _stems(path):
    """Returns {name without suffix: path} of all videos and folders of frames."""
    found = {}
    for parent, folders, files in os.walk(path):
        for name in sorted(files):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in video.SUFFIXES:
                found[stem] = os.path.join(parent, name)
        found |= {name: os.path.join(parent, name) for name in folders}
    return found


def _visible(folder):
    entries = [e for e in os.scandir(folder) if e.is_dir() and e.name[0] != "."]
    return sorted(entry.name for entry in entries)


def _videos(folder):
    if not folder.is_dir():
        return []
    return sorted(
        entry.name
        for entry in os.scandir(folder)
        if entry.name[0] != "."
        and (entry.is_dir() or entry.name.lower().endswith(video.SUFFIXES))
    )


def _tenth(name, seed):
    digest = hashlib.sha256(os.fsencode(f"{seed}/{name}")).digest()
    number = int.from_bytes(digest[:8], "big") % 10
    return {value: key for key, value in _TENTHS.items()}.get(number, "train")
