import numpy as np
import pytest
from media_files import picture, put

from kcv.data.readers import flow_png, kitti
from kcv.data.readers.records import BadRecord

VISIBLE = np.zeros((4, 6, 1), np.uint8)
VISIBLE[:2] = 1
KNOWN = np.zeros((4, 6, 1), np.uint8)
KNOWN[:3] = 1


@pytest.fixture(params=[2012, 2015])
def year(request):
    return request.param


def make(root, year, count=5):
    left, right, known, visible = kitti._YEARS[year]
    for number in range(count):
        for part, truth in (("training", True), ("testing", False)):
            folder, name = root / part, f"{number:06d}_10.png"
            seed = 10 * number
            put(folder / left / name, picture(seed=seed))
            put(folder / left / f"{number:06d}_11.png", picture(seed=seed + 1))
            put(folder / right / name, picture(seed=seed + 2))
            if truth:
                for what in ("flow_occ", "flow_noc", known, visible):
                    (folder / what).mkdir(exist_ok=True)
                flow = np.full((4, 6, 2), number + 0.5)
                flow_png.write_kitti_flow(folder / "flow_occ" / name, flow, KNOWN)
                flow_png.write_kitti_flow(folder / "flow_noc" / name, flow, VISIBLE)
                values = np.full((4, 6, 1), number + 1.5)
                flow_png.write_kitti_disparity(folder / known / name, values, KNOWN)
                flow_png.write_kitti_disparity(folder / visible / name, values, VISIBLE)
    return root


def test_flow(tmp_path, year):
    opened = kitti.open_flow(make(tmp_path, year), "train")
    assert opened.count == 4
    record = opened.read(3)
    assert set(record) == set(opened.keys)
    assert record["image_id"] == "000003_10"
    np.testing.assert_array_equal(record["images"], picture(seed=30))
    np.testing.assert_array_equal(record["next_images"], picture(seed=31))
    np.testing.assert_array_equal(record["flow"], 3.5 * KNOWN * np.ones(2))
    np.testing.assert_array_equal(record["flow_valid"], KNOWN)
    np.testing.assert_array_equal(record["occlusion"], KNOWN - VISIBLE)


def test_stereo(tmp_path, year):
    opened = kitti.open_stereo(make(tmp_path, year), "validation")
    assert opened.count == 1
    record = opened.read(0)
    assert set(record) == set(opened.keys)
    assert record["image_id"] == "000004_10"
    np.testing.assert_array_equal(record["right_images"], picture(seed=42))
    np.testing.assert_array_equal(record["disparity"], 5.5 * KNOWN)
    np.testing.assert_array_equal(record["disparity_valid"], KNOWN)
    np.testing.assert_array_equal(record["occlusion"], KNOWN - VISIBLE)


def test_test_has_images_only(tmp_path, year):
    make(tmp_path, year)
    record = kitti.open_flow(tmp_path, "test").read(4)
    assert set(record) == {"image_id", "images", "next_images"}
    record = kitti.open_stereo(tmp_path, "test").read(4)
    assert set(record) == {"image_id", "images", "right_images"}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("image_2/000002_11.png", "the next_images of 000002_10 is missing"),
        ("image_2/000002_10.png", "the images of 000002_10 is missing"),
        ("flow_noc/000002_10.png", "the visible of 000002_10 is missing"),
    ],
)
def test_missing_files(tmp_path, name, line):
    make(tmp_path, 2015)
    (tmp_path / "training" / name).unlink()
    with pytest.raises(ValueError, match=f"1 of 4 .*{line}"):
        kitti.open_flow(tmp_path, "train")
    assert kitti.open_flow(tmp_path, "train", max_bad_share=0.25).count == 3


def test_8_bit_truth(tmp_path):
    make(tmp_path, 2015)
    put(tmp_path / "training/flow_occ/000001_10.png", picture())
    opened = kitti.open_flow(tmp_path, "train", max_bad_share=0.25)
    with pytest.raises(BadRecord, match="a PNG of kind RGB, not of 3 x 16 bits"):
        opened.read(1)


def test_wrong_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected KITTI's folder"):
        kitti.open_flow(tmp_path, "train")
    (tmp_path / "training").mkdir()
    with pytest.raises(FileNotFoundError, match="neither colored_0 .* nor image_2"):
        kitti.open_stereo(tmp_path, "train")
    with pytest.raises(ValueError, match="split 'val' is not one of"):
        kitti.open_flow(tmp_path, "val")
    with pytest.raises(FileNotFoundError, match="no folder .*train"):
        kitti.open_depth(tmp_path, "train")


def put_depth(path, metres):
    path.parent.mkdir(parents=True, exist_ok=True)
    flow_png.write_kitti_disparity(path, np.full((4, 6, 1), metres), KNOWN)


def check_depth(record, seed, metres, sparse):
    np.testing.assert_array_equal(record["images"], picture(seed=seed))
    np.testing.assert_array_equal(record["sparse_depth"], sparse * KNOWN)
    np.testing.assert_array_equal(record["sparse_depth_valid"], KNOWN)
    if metres:
        np.testing.assert_array_equal(record["depth"], metres * KNOWN)
        np.testing.assert_array_equal(record["depth_valid"], KNOWN)


@pytest.mark.parametrize(
    ("split", "folder"), [("train", "train"), ("validation", "val")]
)
def test_depth_of_drives(tmp_path, split, folder):
    drive, name = "2011_09_26_drive_0001_sync", "image_02/0000000005.png"
    depths = tmp_path / "depth" / folder / drive / "proj_depth"
    put_depth(depths / "groundtruth" / name, 20.5)
    put_depth(depths / "velodyne_raw" / name, 10.25)
    raw = tmp_path / "raw/2011_09_26" / drive / "image_02/data/0000000005.png"
    put(raw, picture(seed=7))
    opened = kitti.open_depth(tmp_path / "depth", split, images=tmp_path / "raw")
    record = opened.read(0)
    assert set(record) == set(opened.keys)
    assert record["image_id"] == f"{drive}/image_02/0000000005"
    check_depth(record, 7, 20.5, 10.25)
    with pytest.raises(ValueError, match=r"0000000005\.png: the images of .* missing"):
        kitti.open_depth(tmp_path / "depth", split)


def test_depth_of_the_selection(tmp_path):
    folder, drive = tmp_path / "val_selection_cropped", "2011_09_26_drive_0002_sync"

    def name(what):
        return folder / what / f"{drive}_{what}_0000000005_image_02.png"

    put(name("image"), picture(seed=8))
    put_depth(name("groundtruth_depth"), 30)
    put_depth(name("velodyne_raw"), 15)
    opened = kitti.open_depth(tmp_path, "validation")
    check_depth(opened.read(0), 8, 30, 15)


def test_depth_of_the_test(tmp_path):
    folder = tmp_path / "test_depth_completion_anonymous"
    put(folder / "image/0000000000.png", picture(seed=9))
    put_depth(folder / "velodyne_raw/0000000000.png", 12)
    opened = kitti.open_depth(tmp_path, "test")
    assert "depth" not in opened.keys
    check_depth(opened.read(0), 9, None, 12)
