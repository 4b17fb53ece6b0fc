import pytest
from media_files import cut, noise_video, put, write_video

from kcv.data.readers import video_folder
from kcv.data.readers.clips import Sampling
from kcv.data.readers.records import BadRecord

HEADER = "label,youtube_id,time_start,time_end,split\n"
FOUR = Sampling(frames=4)


def write_clip(path, seed=0):
    return write_video(path, noise_video(4, 16, 16, seed), "libx264", "yuv420p")


@pytest.fixture
def kinetics(tmp_path):
    """Videos may lie flat or in folders of classes; ids may begin with a dash."""
    videos = tmp_path / "videos"
    write_clip(videos / "train/arm wrestling/-abc_000012_000022.mp4")
    write_clip(videos / "b_000000_000010.mp4")
    write_clip(videos / "val/c-d_000005_000015.mkv")
    rows = '"arm wrestling",-abc,12,22,train\nzumba,b,0,10,train\n'
    put(tmp_path / "train.csv", HEADER + rows)
    put(tmp_path / "validate.csv", HEADER + "zumba,c-d,5,15,validate\n")
    put(tmp_path / "test.csv", "youtube_id,time_start,time_end\nb,0,10\n")
    return tmp_path


def open_kinetics(root, split, name="", **options):
    options = {"annotations": root / name, "sampling": FOUR, **options}
    return video_folder.open_kinetics(root / "videos", split, **options)


def test_kinetics(kinetics):
    opened = open_kinetics(kinetics, "train")
    assert opened.class_names == ("arm wrestling", "zumba")
    records = [opened.read(0), opened.read(1)]
    assert [record["labels"].tolist() for record in records] == [0, 1]
    assert records[0]["image_id"] == "-abc_000012_000022"
    assert records[0]["frames"].shape == (4, 16, 16, 3)
    assert set(records[0]) == set(opened.keys)
    # The classes are those of training, whatever the split holds.
    assert open_kinetics(kinetics, "validation").read(0)["labels"] == 1
    test = open_kinetics(kinetics, "test", "test.csv")
    assert set(test.read(0)) == set(test.keys) == {"image_id", "frames"}


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ("zumba,gone,3,13,train", "gone_000003_000013.mp4: the video that .*train.csv"),
        ("zumba,b,three,13,train", "train.csv: b: times that are no whole seconds"),
    ],
)
def test_malformed_kinetics(kinetics, row, line):
    file = kinetics / "train.csv"
    put(file, f"{file.read_text()}{row}\n")
    with pytest.raises(ValueError, match=f"1 of 3 videos .*{line}"):
        open_kinetics(kinetics, "train")
    opened = open_kinetics(kinetics, "train", max_bad_share=0.4)
    assert [opened.count, len(opened.bad)] == [2, 1]


def test_wrong_csv(kinetics):
    put(kinetics / "validate.csv", HEADER + "chess,c-d,5,15,validate\n")
    with pytest.raises(ValueError, match="'chess' is no class of .*train.csv"):
        open_kinetics(kinetics, "validation")
    put(kinetics / "train.csv", "label,url\nchess,c\n")
    with pytest.raises(
        ValueError, match="no rows with time_end, time_start, youtube_id"
    ):
        open_kinetics(kinetics, "train")
    put(kinetics / "train.csv", HEADER)
    with pytest.raises(ValueError, match=r"train\.csv: no rows with"):
        open_kinetics(kinetics, "train")
    with pytest.raises(
        FileNotFoundError, match=r"no annotation file .*videos/train\.csv"
    ):
        video_folder.open_kinetics(kinetics / "videos", "train")
    with pytest.raises(
        FileNotFoundError, match="no folder .*none: expected the videos"
    ):
        video_folder.open_kinetics(kinetics / "none", "train")
    with pytest.raises(ValueError, match="split 'val' is not one of train, validation"):
        open_kinetics(kinetics, "val")


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "val"):
        for seed, name in enumerate(("jump", "run")):
            write_clip(tmp_path / split / name / "a.mp4", seed)
            put(tmp_path / split / name / ".hidden.mp4", b"")
            put(tmp_path / split / name / "notes.txt", "no video")
            for number in range(5):
                frame = noise_video(1, 8, 8, number)[0]
                put(tmp_path / split / name / f"b/{number}.png", frame)
    return tmp_path


def test_class_folders(folder):
    """A video file and a folder of frames, side by side."""
    opened = video_folder.open_folder(folder, "validation", sampling=FOUR)
    assert opened.class_names == ("jump", "run")
    records = [opened.read(index) for index in range(opened.count)]
    names = ["jump/a.mp4", "jump/b", "run/a.mp4", "run/b"]
    assert [record["image_id"] for record in records] == names
    assert [record["labels"].tolist() for record in records] == [0, 0, 1, 1]
    assert [record["frames"].shape[1] for record in records] == [16, 8, 16, 8]
    with pytest.raises(FileNotFoundError, match="has train but not test: make it"):
        video_folder.open_folder(folder, "test")
    (folder / "val/walk").mkdir()
    with pytest.raises(ValueError, match="val has the class 'walk' that .*train lacks"):
        video_folder.open_folder(folder, "validation")


def test_a_folder_that_is_not_cut(tmp_path):
    """Every video is in one split, nine tenths are not for testing."""
    for number in range(60):
        put(tmp_path / "jump" / f"{number}.mp4", b"not looked at yet")
    parts = [
        video_folder.open_folder(tmp_path, split, seed=3)
        for split in ("train", "validation", "test")
    ]
    assert sum(part.count for part in parts) == 60
    assert 36 <= parts[0].count <= 56
    again = video_folder.open_folder(tmp_path, "test", seed=3)
    assert again.fingerprint == parts[2].fingerprint
    assert video_folder.open_folder(tmp_path, "test").fingerprint != again.fingerprint
    with pytest.raises(BadRecord, match="copy it again or remove it"):
        parts[0].read(0)


def test_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="no videos: check the path and the split"):
        video_folder.open_folder(tmp_path, "train")
    with pytest.raises(FileNotFoundError, match="expected a folder for each class"):
        video_folder.open_folder(tmp_path / "none", "train")


def test_a_video_that_ends_early_is_a_bad_record(tmp_path):
    path = write_video(tmp_path / "jump/a.avi", noise_video(12))
    cut(path, 0.5)
    lenient = Sampling(frames=3, min_share=0.2)
    split = next(
        split
        for split in ("train", "validation", "test")
        if video_folder._tenth("jump/a.avi", 0) == split
    )
    opened = video_folder.open_folder(tmp_path, split, sampling=FOUR)
    with pytest.raises(BadRecord, match=r"a\.avi: ends after [56] of 12 frames"):
        opened.read(0)
    opened = video_folder.open_folder(tmp_path, split, sampling=lenient)
    assert opened.read(0)["frames"].shape == (3, 16, 24, 3)
