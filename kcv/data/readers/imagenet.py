"""ImageNet 2012 as it is unpacked: training folders, validation by a list.

Russakovsky et al., ImageNet large scale visual recognition challenge, 2015. Class i is
the i-th synset id in alphabetical order, as in keras.applications; the number in
ILSVRC2012_validation_ground_truth.txt is another one and needs meta.mat beside it.
Pictures are shown upright, as by kcv.data.folder.
"""

import csv
import os
import pathlib
import re

import numpy as np

from kcv.data.readers import pictures, record_keys
from kcv.data.readers.records import Records, check_bad, fingerprint

_SYNSET = re.compile(r"n\d{8}")
_FOLDERS = {"train": ("train",), "validation": ("val", "validation")}
_SOLUTION = "LOC_val_solution.csv"
_TRUTH = "ILSVRC2012_validation_ground_truth.txt"


def open_split(path, split, *, max_bad_share=0.01):
    """Opens one split of ImageNet.

    Args:
        path: Folder with train/n01440764/... and val/, or one with these in
            ILSVRC/Data/CLS-LOC (Kaggle). val/ has folders of synsets, or all pictures
            flat and LOC_val_solution.csv or ILSVRC2012_validation_ground_truth.txt and
            meta.mat (from the development kit) in `path` or in its data/.
        split: "train" or "validation"; the truth of the test was never given out.
        max_bad_share: Largest share of malformed records that is skipped.

    Returns:
        `Records` with labels.

    Raises:
        FileNotFoundError: There is no such layout.
        ValueError: Unknown split or too many malformed records.
    """
    if split not in _FOLDERS:
        raise ValueError(f"split {split!r} is not one of {', '.join(_FOLDERS)}")
    root = pathlib.Path(path)
    data = next((p for p in (root / "ILSVRC/Data/CLS-LOC", root) if p.is_dir()), root)
    folder = next((data / n for n in _FOLDERS[split] if (data / n).is_dir()), None)
    if folder is None:
        raise FileNotFoundError(
            f"no {data / _FOLDERS[split][0]}: path is the folder with train and val"
        )
    pairs, bad = _in_synset_folders(folder), []
    if not pairs:
        pairs, bad = _by_list(root, folder)
    synsets = _synsets(data, pairs)
    label_of = {synset: label for label, synset in enumerate(synsets)}
    good = []
    for file, synset in pairs:
        problem = pictures.file_problem(file)
        if not problem and synset not in label_of:
            problem = f"synset {synset!r} is not in the training folder: add or remove"
        if problem:
            bad.append(f"{file}: {problem}")
        else:
            good.append((file, label_of[synset]))
    check_bad(str(folder), bad, len(good) + len(bad), max_bad_share)

    def read(index):
        file, label = good[index]
        return {
            "images": pictures.read_image(file, orientation="upright"),
            "labels": np.array(label, np.int32),
            "image_id": os.path.splitext(os.path.basename(file))[0],
        }

    return Records(
        str(folder),
        len(good),
        read,
        record_keys.select("images", "labels", "image_id"),
        _names(root, synsets),
        fingerprint([file for file, _ in good], *synsets),
        tuple(bad),
        max_bad_share,
    )


def _in_synset_folders(folder):
    """Returns [(path, synset)] of pictures in folders of synsets, sorted."""
    pairs = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir() and _SYNSET.fullmatch(entry.name):
            names = sorted(os.listdir(entry.path))
            names = [n for n in names if n.lower().endswith(pictures.SUFFIXES)]
            pairs += [(os.path.join(entry.path, n), entry.name) for n in names]
    return pairs


def _by_list(root, folder):
    """Returns [(path, synset)] of a flat folder, and lines for rows that are no row."""
    places = [root, root / "data", folder.parent]
    solution = next((p / _SOLUTION for p in places if (p / _SOLUTION).is_file()), None)
    if solution:
        return _by_solution(solution, folder)
    truth = next((p / _TRUTH for p in places if (p / _TRUTH).is_file()), None)
    meta = next((p / "meta.mat" for p in places if (p / "meta.mat").is_file()), None)
    if truth and meta:
        return _by_numbers(truth, meta, folder), []
    raise FileNotFoundError(
        f"no synset folders in {folder} and no {_SOLUTION}, nor {_TRUTH} with meta.mat,"
        f" in {root}: put the file there"
    )


def _by_solution(solution, folder):
    """Rows are "ILSVRC2012_val_00048981,n03995372 85 1 499 272 n03995372 ..."."""
    pairs, bad = [], []
    with open(solution, newline="") as file:
        rows = list(csv.reader(file))
    for number, row in enumerate(rows, 1):
        if row and row[0] == "ImageId":
            continue
        words = row[1].split() if len(row) > 1 else []
        if not words or not _SYNSET.fullmatch(words[0]):
            bad.append(f"{solution}: row {number} is not an id and a synset: mend it")
            continue
        pairs.append((os.path.join(folder, f"{row[0]}.JPEG"), words[0]))
    return sorted(pairs), bad


def _by_numbers(truth, meta, folder):
    """Line n is the ILSVRC2012_ID of the n-th picture; meta.mat has its synset."""
    from scipy import io  # Here: its import takes as long as all of this module.

    try:
        synsets = io.loadmat(meta, struct_as_record=False, squeeze_me=True)["synsets"]
        synset_of = {int(s.ILSVRC2012_ID): str(s.WNID) for s in np.atleast_1d(synsets)}
    # Whatever SciPy says of a damaged file (zlib.error, ValueError, TypeError, ...).
    except Exception as error:
        reason = str(error).split("\n")[0]
        raise ValueError(
            f"{meta}: no synsets ({reason}): unpack the kit again"
        ) from None
    numbers = truth.read_text().split()
    names = sorted(n for n in os.listdir(folder) if n.lower().endswith(".jpeg"))
    if len(names) != len(numbers):
        raise ValueError(
            f"{truth}: {len(numbers)} lines for {len(names)} pictures in {folder}: they"
            " are matched by position, so unpack ILSVRC2012_img_val.tar again"
        )
    if wrong := next((n for n in numbers if synset_of.get(_whole(n)) is None), None):
        raise ValueError(f"{truth}: {wrong!r} is not in {meta}: unpack the kit again")
    return [
        (os.path.join(folder, name), synset_of[int(number)])
        for name, number in zip(names, numbers)
    ]


def _whole(text):
    return int(text) if text.isdecimal() else None


def _synsets(data, pairs):
    """Returns the sorted synsets, of the training folders if these are there."""
    if (data / "train").is_dir():
        folders = [e.name for e in os.scandir(data / "train") if e.is_dir()]
        if synsets := sorted(filter(_SYNSET.fullmatch, folders)):
            return synsets
    return sorted({synset for _, synset in pairs})


def _names(root, synsets):
    """Returns "n01440764 tench, Tinca tinca" where LOC_synset_mapping.txt is there."""
    file = root / "LOC_synset_mapping.txt"
    lines = file.read_text().splitlines() if file.is_file() else []
    named = {line.split(" ", 1)[0]: line.strip() for line in lines}
    return tuple(named.get(synset, synset) for synset in synsets)
