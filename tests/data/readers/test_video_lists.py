import numpy as np
import pytest
from media_files import cut, noise_video, put, write_video

from kcv.data.readers import clips, records, video_lists
from kcv.data.readers.clips import Sampling
from kcv.data.readers.records import BadRecord

CLASSES = ("Archery", "Bowling")


def seed_of(number, group):
    return 10 * number + group


@pytest.fixture
def ucf(tmp_path):
    """Two videos of each class, the second for testing, named v_Archery_g01_c01.avi."""
    lists = {"train": "", "test": ""}
    for number, name in enumerate(CLASSES):
        for group, split in ((1, "train"), (2, "test")):
            video = f"{name}/v_{name}_g{group:02d}_c01.avi"
            frames = noise_video(8, 8, 8, seed=seed_of(number, group))
            write_video(tmp_path / "UCF-101" / video, frames)
            end = f" {number + 1}" if split == "train" else ""
            lists[split] += f"{video}{end}\r\n"
    folder = tmp_path / "ucfTrainTestlist"
    put(folder / "classInd.txt", "1 Archery\r\n2 Bowling\r\n")
    for split, lines in lists.items():
        put(folder / f"{split}list02.txt", lines)
    return tmp_path


def test_ucf101(ucf):
    sampling = Sampling(frames=4)
    opened = video_lists.open_ucf101(ucf, "train", fold=2, sampling=sampling)
    assert opened.class_names == CLASSES
    record = opened.read(1)
    assert set(record) == set(opened.keys)
    assert record["image_id"] == "Bowling/v_Bowling_g01_c01.avi"
    assert record["labels"] == 1
    assert record["labels"].dtype == np.int32
    whole = noise_video(8, 8, 8, seed=seed_of(1, 1))
    np.testing.assert_array_equal(record["frames"], whole[[1, 3, 5, 7]])
    test = video_lists.open_ucf101(ucf, "test", fold=2, sampling=sampling)
    assert test.read(0)["image_id"] == "Archery/v_Archery_g02_c01.avi"
    inner = ucf / "UCF-101"
    assert video_lists.open_ucf101(inner, "test", fold=2).count == 2


def test_sampling(ucf):
    def frames(rng=None, **options):
        sampling = Sampling(**options)
        opened = video_lists.open_ucf101(ucf, "train", fold=2, sampling=sampling)
        return opened.read(0, rng)["frames"]

    whole = noise_video(8, 8, 8, seed=1)
    middle = frames(how="clip", frames=3, stride=2)
    np.testing.assert_array_equal(middle, whole[[1, 3, 5]])
    slow = frames(how="fps", fps=5, frames=5)  # of 10 frames a second
    np.testing.assert_array_equal(slow, whole[[0, 2, 4, 6, 7]])
    first = {
        frames(np.random.default_rng(seed), how="clip", frames=6)[0].tobytes()
        for seed in range(20)
    }
    assert first == {frame.tobytes() for frame in whole[:3]}
    with pytest.raises(ValueError, match="sampling how 'all' is not one of uniform"):
        frames(how="all")
    with pytest.raises(ValueError, match="sampling frames=0 is not above 0"):
        frames(frames=0)


def test_folders_of_frames_instead_of_videos(ucf):
    """frame10 comes after frame9."""
    path = ucf / "UCF-101/Archery/v_Archery_g01_c01.avi"
    path.unlink()
    whole = noise_video(12, 8, 8)
    for number, frame in enumerate(whole):
        put(path.with_suffix("") / f"frame{number}.png", frame)
    opened = video_lists.open_ucf101(ucf, "train", fold=2, sampling=Sampling(frames=12))
    np.testing.assert_array_equal(opened.read(0)["frames"], whole)
    put(path.with_suffix("") / "frame5.png", whole[0, :4])
    with pytest.raises(
        BadRecord, match="frames of several sizes, .* extract them again"
    ):
        opened.read(0)
    for frame in path.with_suffix("").iterdir():
        frame.unlink()
    with pytest.raises(BadRecord, match="no frames in this folder: extract them again"):
        opened.read(0)


def test_another_suffix_than_the_lists(ucf):
    path = ucf / "UCF-101/Archery/v_Archery_g01_c01.avi"
    path.rename(path.with_suffix(".mkv"))
    assert video_lists.open_ucf101(ucf, "train", fold=2).count == 2


def test_malformed_ucf101(ucf):
    path = ucf / "UCF-101/Bowling/v_Bowling_g01_c01.avi"
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(
        ValueError, match=r"1 of 2 .*g01_c01\.avi: the video that .*list"
    ):
        video_lists.open_ucf101(ucf, "train", fold=2)
    opened = video_lists.open_ucf101(ucf, "train", fold=2, max_bad_share=0.5)
    assert opened.count == len(opened.bad) == 1
    put(path, content)
    cut(path, 0.5)
    opened = video_lists.open_ucf101(ucf, "train", fold=2, max_bad_share=0.5)
    assert records.skipping(opened)(0) is not None
    with pytest.raises(BadRecord, match=r"g01_c01\.avi: ends after"):
        opened.read(1)
    file = ucf / "ucfTrainTestlist/trainlist02.txt"
    put(file, file.read_text().replace("c01.avi 2", "c01.avi 1"))
    with pytest.raises(ValueError, match="g01_c01.avi 1' disagrees with classInd.txt"):
        video_lists.open_ucf101(ucf, "train", fold=2)
    put(file.with_name("classInd.txt"), "1 Archery\n3 Bowling\n")
    with pytest.raises(ValueError, match="classes are not numbered 1, 2, 3"):
        video_lists.open_ucf101(ucf, "train", fold=2)


def test_wrong_options(ucf):
    with pytest.raises(ValueError, match="UCF101 is cut into train and test only"):
        video_lists.open_ucf101(ucf, "validation")
    with pytest.raises(ValueError, match="fold '4' is not one of 1, 2, 3"):
        video_lists.open_ucf101(ucf, "train", fold=4)
    with pytest.raises(
        FileNotFoundError, match=r"no annotation file .*trainlist01\.txt"
    ):
        video_lists.open_ucf101(ucf, "train")
    with pytest.raises(FileNotFoundError, match="no folder .*none: expected Apply"):
        video_lists.open_ucf101(ucf / "none", "train")
    with pytest.raises(
        FileNotFoundError, match="no folder .*none of the official list"
    ):
        video_lists.open_ucf101(ucf, "train", lists=ucf / "none")


@pytest.fixture
def hmdb(tmp_path):
    """Of each class one video to train (1), one to test (2), one for neither (0)."""
    for number, name in enumerate(("brush_hair", "wave")):
        lines = ""
        for mark in range(3):
            frames = noise_video(4, 8, 8, seed=10 * number + mark)
            write_video(tmp_path / f"hmdb51_org/{name}/clip_{mark}.avi", frames)
            lines += f"clip_{mark}.avi {mark} \n"
        folder = tmp_path / "testTrainMulti_7030_splits"
        put(folder / f"{name}_test_split1.txt", lines)
    return tmp_path


def test_hmdb51(hmdb):
    sampling = Sampling(frames=4)
    for split, mark in (("train", 1), ("test", 2)):
        opened = video_lists.open_hmdb51(hmdb, split, sampling=sampling)
        assert opened.class_names == ("brush_hair", "wave")
        assert opened.count == 2
        record = opened.read(1)
        assert record["image_id"] == f"wave/clip_{mark}.avi"
        assert record["labels"] == 1
        expected = noise_video(4, 8, 8, seed=10 + mark)
        np.testing.assert_array_equal(record["frames"], expected)


def test_malformed_hmdb51(hmdb):
    file = hmdb / "testTrainMulti_7030_splits/wave_test_split1.txt"
    put(file, file.read_text() + "clip_3.avi 7\nclip_4.avi 1\n")
    with pytest.raises(
        ValueError, match="'clip_3.avi 7' is not NAME.avi and 0, 1 or 2"
    ):
        video_lists.open_hmdb51(hmdb, "train")
    opened = video_lists.open_hmdb51(hmdb, "train", max_bad_share=0.5)
    assert opened.count == len(opened.bad) == 2
    assert "clip_4.avi: the video that" in opened.bad[1]
    with pytest.raises(FileNotFoundError, match=r"no \*_test_split2\.txt in"):
        video_lists.open_hmdb51(hmdb, "train", fold=2)


def test_a_clip_that_is_gone(tmp_path):
    with pytest.raises(BadRecord, match=r"none\.avi: the video is missing"):
        clips.read_clip(tmp_path / "none.avi", Sampling())
