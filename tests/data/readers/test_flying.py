import numpy as np
import pytest
from media_files import flo_bytes, picture, put

from kcv.data.readers import flow_files, flying, records
from kcv.data.readers.records import BadRecord


def flow(seed, height=4, width=6):
    return np.random.default_rng(seed).normal(0, 5, (height, width, 2)).astype("f4")


@pytest.fixture
def chairs(tmp_path):
    for number in range(1, 6):
        start = tmp_path / "data" / f"{number:05d}"
        put(start.with_name(f"{start.name}_img1.ppm"), picture(seed=number))
        put(start.with_name(f"{start.name}_img2.ppm"), picture(seed=-number % 99))
        put(start.with_name(f"{start.name}_flow.flo"), flo_bytes(flow(number)))
    return tmp_path


def ids(opened):
    return [opened.read(index)["image_id"] for index in range(opened.count)]


def test_chairs_without_a_list(chairs):
    opened = flying.open_chairs(chairs, "train")
    assert opened.count == 5
    record = opened.read(2)
    assert record["image_id"] == "00003"
    np.testing.assert_array_equal(record["images"], picture(seed=3))
    np.testing.assert_array_equal(record["next_images"], picture(seed=96))
    np.testing.assert_array_equal(record["flow"], flow(3))
    assert record["flow_valid"].all()
    assert set(record) == set(opened.keys)
    assert ids(flying.open_chairs(chairs / "data", "train")) == ids(opened)
    with pytest.raises(FileNotFoundError, match="no FlyingChairs_train_val.txt in"):
        flying.open_chairs(chairs, "validation")


def test_chairs_with_the_official_list(chairs):
    put(chairs / "FlyingChairs_train_val.txt", "1\n2\n1\n1\n2\n")
    assert ids(flying.open_chairs(chairs, "train")) == ["00001", "00003", "00004"]
    assert ids(flying.open_chairs(chairs, "validation")) == ["00002", "00005"]
    short = put(chairs / "short.txt", "1\n2\n")
    with pytest.raises(ValueError, match="list of splits has 2 lines, .* pair 00005"):
        flying.open_chairs(chairs, "train", split_file=short)
    with pytest.raises(ValueError, match=r"odd\.txt: '3' is neither 1 nor 2"):
        odd = put(chairs / "odd.txt", "1 1 3 1 1")
        flying.open_chairs(chairs, "train", split_file=odd)
    with pytest.raises(FileNotFoundError, match=r"no split_file .*none\.txt"):
        flying.open_chairs(chairs, "train", split_file=chairs / "none.txt")


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("00002_img2.ppm", None, "the next_images of 00002 is missing: copy it"),
        ("00002_img1.ppm", None, "the images of 00002 is missing"),
        ("00002_flow.flo", None, "the flow of 00002 is missing"),
        ("00002_img2.ppm", b"", "the next_images of 00002 is empty: copy it again"),
        ("00002_flow.flo", flo_bytes(flow(2))[:-4], "is truncated: 200 bytes, where"),
        ("00002_flow.flo", flo_bytes(flow(2), tag=2.5), "no little-endian .flo"),
    ],
)
def test_malformed_pairs_are_counted_named_and_skipped(chairs, name, content, line):
    if content is None:
        (chairs / "data" / name).unlink()
    else:
        put(chairs / "data" / name, content)
    with pytest.raises(ValueError, match=f"1 of 5 .*{name}: .*{line}"):
        flying.open_chairs(chairs, "train")
    opened = flying.open_chairs(chairs, "train", max_bad_share=0.2)
    assert ids(opened) == ["00001", "00003", "00004", "00005"]
    assert len(opened.bad) == 1
    assert line in opened.bad[0]


def test_what_is_only_seen_when_read(chairs):
    put(chairs / "data" / "00002_img2.ppm", picture(5, 6))
    put(chairs / "data" / "00004_img1.ppm", b"P6\n6 4\n255\n" + bytes(9))
    opened = flying.open_chairs(chairs, "train", max_bad_share=0.4)
    with pytest.raises(BadRecord, match=r"00002_img1\.ppm: sizes \(h, w\) differ"):
        opened.read(1)
    with pytest.raises(BadRecord, match=r"00004_img1\.ppm: "):
        opened.read(3)
    read = records.skipping(opened)
    assert [read(index) is None for index in range(5)] == [0, 1, 0, 1, 0]


def test_fingerprint_follows_the_files(chairs):
    before = flying.open_chairs(chairs, "train").fingerprint
    assert flying.open_chairs(chairs, "train").fingerprint == before
    put(chairs / "data" / "00002_img2.ppm", picture(5, 6))
    assert flying.open_chairs(chairs, "train").fingerprint != before


@pytest.fixture
def things(tmp_path):
    """Frames 6..8 of one scene; the released flow goes one frame beyond them."""
    for camera, letter in (("left", "L"), ("right", "R")):
        for number in (6, 7, 8):
            for part in ("frames_cleanpass", "frames_finalpass"):
                folder = tmp_path / part / "TRAIN/A/0000" / camera
                seed = number + 100 * (camera == "right") + 50 * ("final" in part)
                put(folder / f"{number:04d}.png", picture(seed=seed))
            for way in ("Future", "Past"):
                folder = tmp_path / "optical_flow/TRAIN/A/0000" / f"into_{way.lower()}"
                path = folder / camera / f"OpticalFlowInto{way}_{number:04d}_{letter}"
                path.parent.mkdir(parents=True, exist_ok=True)
                sign = 1 if way == "Future" else -1
                values = np.dstack([sign * flow(number), np.zeros((4, 6))])
                flow_files.write_pfm(path.with_suffix(".pfm"), values)
    return tmp_path


def test_things(things):
    opened = flying.open_things(things, "train", cameras=("left",))
    start = "TRAIN/A/0000/"
    assert ids(opened) == [
        f"{start}into_future/left/OpticalFlowIntoFuture_0006_L",
        f"{start}into_future/left/OpticalFlowIntoFuture_0007_L",
        f"{start}into_past/left/OpticalFlowIntoPast_0007_L",
        f"{start}into_past/left/OpticalFlowIntoPast_0008_L",
    ]
    record = opened.read(2)
    np.testing.assert_array_equal(record["images"], picture(seed=7))
    np.testing.assert_array_equal(record["next_images"], picture(seed=6))
    np.testing.assert_array_equal(record["flow"], -flow(7))
    assert flying.open_things(things, "train").count == 8
    final = flying.open_things(
        things, "train", frames="frames_finalpass", cameras=("right",)
    )
    np.testing.assert_array_equal(final.read(0)["images"], picture(seed=156))


def test_malformed_things(things):
    last = things / "frames_cleanpass/TRAIN/A/0000/left/0008.png"
    last.unlink()
    with pytest.raises(
        ValueError, match=r"0008\.png: the next_images of .* is missing"
    ):
        flying.open_things(things, "train", cameras=("left",))
    put(last, picture())
    flows = things / "optical_flow/TRAIN/A/0000/into_future/left"
    first = flows / "OpticalFlowIntoFuture_0006_L.pfm"
    put(first, first.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"0006_L\.pfm: is truncated"):
        flying.open_things(things, "train")
    flow_files.write_pfm(first, np.zeros((4, 6, 1)))
    opened = flying.open_things(things, "train", cameras=("left",))
    with pytest.raises(BadRecord, match="a grey .pfm is no flow"):
        opened.read(0)


def test_wrong_options(things, tmp_path):
    with pytest.raises(
        ValueError, match="split 'test' is not one of train, validation"
    ):
        flying.open_chairs(tmp_path, "test")
    with pytest.raises(
        FileNotFoundError, match="no folder .*none: expected FlyingChair"
    ):
        flying.open_chairs(tmp_path / "none", "train")
    with pytest.raises(ValueError, match="no 00001_img1.ppm ...: is it FlyingChairs"):
        flying.open_chairs(things, "train")
    with pytest.raises(ValueError, match="split 'val' is not one of train, test"):
        flying.open_things(things, "val")
    with pytest.raises(FileNotFoundError, match="no folder .*optical_flow/TEST"):
        flying.open_things(things, "test")
    with pytest.raises(ValueError, match="frames 'clean' is not one of frames_cleanp"):
        flying.open_things(things, "train", frames="clean")
    with pytest.raises(ValueError, match="direction 'future' is not one of into_fut"):
        flying.open_things(things, "train", directions=("future",))
    with pytest.raises(ValueError, match="camera 'L' is not one of left, right"):
        flying.open_things(things, "train", cameras=("L",))
