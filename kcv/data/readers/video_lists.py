"""Videos named by lists that come with them: UCF101 and HMDB51.

Papers: Soomro et al., UCF101, 2012, https://arxiv.org/abs/1212.0402; Kuehne et al.,
HMDB: A Large Video Database for Human Motion Recognition, 2011. Wherever a list names a
video, a folder of its frames, of the same name without suffix, serves as well.
"""

import pathlib

from kcv.data.readers import clips, file_sets, json_lists
from kcv.data.readers.clips import DEFAULT


def open_ucf101(
    path, split, *, fold=1, lists=None, sampling=DEFAULT, max_bad_share=0.01
):
    """Opens UCF101: ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi and its split files.

    Args:
        path: The folder of the class folders, or the one that has UCF-101 in it.
        split: "train" or "test"; UCF101 has no validation.
        fold: Which official cut, 1, 2 or 3.
        lists: Folder of classInd.txt, trainlist01.txt, testlist01.txt ...; by default
            ucfTrainTestlist in PATH or beside it.
        sampling: `Sampling`.
        max_bad_share: Largest share of malformed videos.

    Returns:
        `Records` with frames and labels.

    Raises:
        FileNotFoundError: No folder or no list.
        ValueError: An unknown split or fold, or too many malformed videos.
    """
    _check_cut("UCF101", split, fold)
    root = _inner(path, "UCF-101", "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi ...")
    lists = _lists(lists, path, "ucfTrainTestlist")
    numbers = {}
    for line in _lines(lists / "classInd.txt"):
        number, _, name = line.partition(" ")
        numbers[name.strip()] = int(number) if number.isdecimal() else 0
    names = sorted(numbers, key=numbers.get)
    if not names or sorted(numbers.values()) != list(range(1, len(names) + 1)):
        raise ValueError(
            f"{lists / 'classInd.txt'}: its classes are not numbered 1, 2, 3 ...: take"
            " the file as released"
        )
    file = lists / f"{split}list{fold:02d}.txt"
    items, bad = [], []
    for line in _lines(file):
        name, _, number = line.partition(" ")
        label = numbers.get(name.split("/")[0])
        if label is None or number.strip() not in ("", str(label)):
            bad.append(f"{file}: {line!r} disagrees with classInd.txt: correct it")
        else:
            items.append((name, clips.find(root, name), label - 1))
    return clips.open_clips(
        str(path), items, sampling, names, max_bad_share, bad, str(file)
    )


def open_hmdb51(
    path, split, *, fold=1, lists=None, sampling=DEFAULT, max_bad_share=0.01
):
    """Opens HMDB51: brush_hair/NAME.avi and brush_hair_test_split1.txt of each class.

    Args:
        path: The folder of the class folders, or the one that has hmdb51_org in it.
        split: "train" (marked 1 in the lists) or "test" (2).
        fold: Which official cut, 1, 2 or 3.
        lists: Folder of the lists; by default testTrainMulti_7030_splits (or
            test_train_splits) in PATH or beside it.
        sampling: `Sampling`.
        max_bad_share: Largest share of malformed videos.

    Returns:
        `Records` with frames and labels.

    Raises:
        FileNotFoundError: No folder or no lists.
        ValueError: An unknown split or fold, or too many malformed videos.
    """
    _check_cut("HMDB51", split, fold)
    root = _inner(path, "hmdb51_org", "brush_hair/....avi")
    lists = _lists(lists, path, "testTrainMulti_7030_splits", "test_train_splits")
    ending = f"_test_split{fold}.txt"
    files = sorted(lists.glob(f"*{ending}"))
    if not files:
        raise FileNotFoundError(f"no *{ending} in {lists}: give lists=FOLDER")
    names = [file.name.removesuffix(ending) for file in files]
    wanted = "1" if split == "train" else "2"
    items, bad = [], []
    for label, file in enumerate(files):
        for line in _lines(file):
            video_name, _, mark = line.rpartition(" ")
            if mark not in ("0", "1", "2") or not video_name:
                bad.append(f"{file}: {line!r} is not NAME.avi and 0, 1 or 2: correct")
            elif mark == wanted:
                name = f"{names[label]}/{video_name.strip()}"
                items.append((name, clips.find(root, name), label))
    return clips.open_clips(
        str(path), items, sampling, names, max_bad_share, bad, str(lists)
    )


def _check_cut(name, split, fold):
    if split not in ("train", "test"):
        raise ValueError(
            f"split {split!r}: {name} is cut into train and test only, three times:"
            " use those, with fold=1, 2 or 3"
        )
    file_sets.check_choice("fold", str(fold), ("1", "2", "3"))


def _inner(path, name, layout):
    file_sets.check_folder(path, layout)
    inner = pathlib.Path(path, name)
    return inner if inner.is_dir() else pathlib.Path(path)


def _lists(given, path, *names):
    parents = (pathlib.Path(path), pathlib.Path(path).parent)
    folders = [parent / name for parent in parents for name in names]
    for folder in [pathlib.Path(given)] if given else folders:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"no folder {given or folders[0]} of the official lists: copy it there or give"
        " lists=FOLDER"
    )


def _lines(file):
    text = json_lists.read_text(file)
    return [line.strip() for line in text.splitlines() if line.strip()]
