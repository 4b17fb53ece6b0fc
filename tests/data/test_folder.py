import json
import os
import pathlib

import pytest
from absl import logging
from data_pictures import names_of

from kcv import data
from kcv.data import survey


def test_too_many_broken_files_stop(make_folder, picture):
    files = {f"{c}/{i}.png": picture for c in "ab" for i in range(9)}
    root = make_folder({**files, "a/x.png": b"no", "b/y.png": b""})
    message = (
        r"2 of 20 images \(10%\) in .*pictures cannot be read, more than"
        r" max_bad_share=5%; the first is .*a/x.png \(not an image\): repair or remove"
    )
    with pytest.raises(ValueError, match=message):
        data.source(root, "train")
    assert data.source(root, "train", max_bad_share=0.1).num_examples > 0


def test_what_was_seen_is_kept_outside_of_the_folder(make_folder, picture, tmp_path):
    files = {f"{c}/{i}.png": picture for c in "ab" for i in range(15)}
    root = make_folder(files)
    before = sorted(root.rglob("*"))
    cache = tmp_path / "seen"
    looked = []
    original = survey._look

    def look(file):
        looked.append(pathlib.Path(file).name)
        return original(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(survey, "_look", look)
        for split in ("train", "validation", "test"):
            data.source(root, split, cache_dir=cache)
        assert len(looked) == 30
        survey._SURVEYS.clear()  # another process
        data.source(root, "train", cache_dir=cache)
        assert len(looked) == 30
        (root / "a/3.png").write_bytes(b"")
        source = data.source(root, "train", cache_dir=cache)
        assert looked[30:] == ["3.png"]
        assert ["a", "3.png"] not in names_of(source)
        (kept,) = cache.iterdir()
        assert len(json.loads(kept.read_text())["files"]) == 30
        kept.write_text("{")
        survey._SURVEYS.clear()
        data.source(root, "train", cache_dir=cache)
        assert len(looked) == 61
    assert sorted(root.rglob("*")) == before


def test_unwritable_cache_is_only_a_warning(make_folder, picture, caplog):
    root = make_folder({f"{c}/{i}.png": picture for c in "ab" for i in range(15)})
    with caplog.at_level("WARNING"):
        source = data.source(root, "train", cache_dir="/proc/kcv")
    assert source.num_examples > 15
    assert "cannot keep what is known" in caplog.text


def test_progress_bar_only_for_many_files(make_folder, picture, monkeypatch, capfd):
    root = make_folder({f"{c}/{i}.png": picture for c in "ab" for i in range(15)})
    data.source(root, "train")
    assert "looking" not in capfd.readouterr().err
    monkeypatch.setattr(survey, "MANY", 20)
    survey._SURVEYS.clear()
    data.source(root, "train", cache_dir=root.parent / "other")
    assert "looking at 30 new images" in capfd.readouterr().err


def test_classes_are_sorted_folders(make_folder, picture):
    names = ["Zebra", "cat", "Cat", "große Katze", "猫 ねこ", "a.b", "x/deep/er"]
    files = {f"{c}/{i}.png": picture for c in names for i in range(12)}
    extra = {".hidden/0.png": picture, "cat/.thumb.png": b"", "cat/notes.txt": b"x"}
    root = make_folder(files)
    make_folder({name: b"x" for name in extra})
    (root / "readme.txt").write_text("no class")
    source = data.source(root, "train")
    assert source.class_names == tuple(
        sorted(["Zebra", "cat", "Cat", "große Katze", "猫 ねこ", "a.b", "x"])
    )
    parts = [data.source(root, split) for split in ("train", "validation", "test")]
    assert sum(part.num_examples for part in parts) == 84
    for part in parts:
        for record in part.elements(None).as_numpy_iterator():
            relative = pathlib.Path(os.fsdecode(record["paths"])).relative_to(root)
            assert part.class_names[record["labels"]] == relative.parts[0]


def test_hash_split(make_folder, picture):
    root = make_folder({f"{c}/{i}.png": picture for c in "ab" for i in range(100)})
    splits = [
        {tuple(name) for name in names_of(data.source(root, split))}
        for split in ("train", "validation", "test")
    ]
    assert len(set.union(*splits)) == sum(map(len, splits)) == 200
    assert [len(split) for split in splits] == pytest.approx([160, 20, 20], abs=12)
    other = {tuple(name) for name in names_of(data.source(root, "test", seed=1))}
    assert other != splits[2]


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_ready_splits_are_used(make_folder, picture, validation):
    root = make_folder(
        {
            f"{s}/{c}/{s}.png": picture
            for s in ("train", validation, "test")
            for c in "ab"
        }
    )
    for split, folder in (("train", "train"), ("validation", validation)):
        source = data.source(root, split)
        assert names_of(source) == [["a", f"{folder}.png"], ["b", f"{folder}.png"]]


def test_missing_splits_are_cut_from_train(make_folder, picture):
    files = {f"train/{c}/{i}.png": picture for c in "ab" for i in range(50)}
    root = make_folder({**files, "val/a/v.png": picture, "val/b/v.png": picture})
    train, validation, test = (
        names_of(data.source(root, split)) for split in ("train", "validation", "test")
    )
    assert validation == [["a", "v.png"], ["b", "v.png"]]
    assert len(train) + len(test) == 100 and 2 <= len(test) <= 25
    assert not [name for name in test if name in train]


def test_classes_that_are_called_train(make_folder, picture):
    root = make_folder(
        {f"{c}/{i}.png": picture for c in ("train", "bus") for i in "12"}
    )
    assert data.source(root, "train").class_names == ("bus", "train")


def test_fingerprint_is_that_of_the_files(make_folder, picture):
    files = {f"{c}/{i}.png": picture for c in "ab" for i in range(9)}
    first = data.source(make_folder(files, "first"), "train")
    copy = data.source(make_folder(files, "copy"), "train")
    more = data.source(make_folder({**files, "a/new.png": picture}, "more"), "train")
    assert first.fingerprint == copy.fingerprint != more.fingerprint


def test_empty_class_folders_are_told(make_folder, picture, caplog):
    root = make_folder({f"{c}/{i}.png": picture for c in "ab" for i in range(9)})
    (root / "nothing").mkdir()
    with caplog.at_level("WARNING"):
        assert data.source(root, "train").class_names == ("a", "b")
    assert "without images, ignored: ['nothing']" in caplog.text


def test_folders_that_are_no_data(make_folder, picture, tmp_path):
    def check(root, message, split="train"):
        with pytest.raises(ValueError, match=message) as caught:
            data.source(root, split)
        assert "\n" not in str(caught.value)

    (tmp_path / "empty").mkdir()
    check(tmp_path / "empty", "no class folders in .*empty: put the images of each")
    check(make_folder({"0.png": picture}, "flat"), "no class folders in .*flat")
    check(make_folder({"a/x.txt": b"x", "b/y.txt": b"y"}, "text"), "no images in the")
    check(make_folder({"only/0.png": picture}, "one"), "only one class, 'only', in")
    two = {f"{c}/0.png": picture for c in "ab"}
    check(make_folder(two, "two"), "no images for (validation|test)", "validation")
    both = {f"{s}/a/0.png": picture for s in ("train", "val", "validation")}
    check(make_folder(both, "both"), "has both validation and val")
    files = {f"{n}/0.png": picture for n in ("train/a", "train/b", "test/c")}
    check(make_folder(files, "more"), "test has the class 'c' that .*train lacks")


def test_file_instead_of_folder(tmp_path):
    (tmp_path / "file.zip").write_bytes(b"x")
    with pytest.raises(FileNotFoundError, match="no folder .*file.zip"):
        data.source(tmp_path / "file.zip", "train")


logging.use_python_logging()  # absl's own handler would hide messages from caplog
