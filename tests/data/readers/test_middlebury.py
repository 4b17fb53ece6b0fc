import struct

import numpy as np
import pytest
import skimage.data
from media_files import picture, put

from kcv.data.readers import middlebury
from kcv.data.readers.records import BadRecord


def test_the_motorcycle_is_scikit_images():
    left, right, disparity = skimage.data.stereo_motorcycle()
    record = middlebury.motorcycle().read(0)
    np.testing.assert_array_equal(record["images"], left)
    np.testing.assert_array_equal(record["right_images"], right)
    valid = record["disparity_valid"][..., 0] > 0
    np.testing.assert_array_equal(valid, np.isfinite(disparity))
    assert 0.92 < valid.mean() < 0.93
    np.testing.assert_array_equal(record["disparity"][valid, 0], disparity[valid])
    assert not record["disparity"][~valid].any()


def test_flow_finds_the_pixels_of_the_other_picture():
    """The sign and grid of the truth: 8 grey values apart, 47 with the other sign."""
    opened = middlebury.motorcycle("flow")
    record = opened.read(0)
    assert set(record) == set(opened.keys)
    y, x = np.indices(record["images"].shape[:2])
    errors = []
    for sign in (1, -1):
        to = np.rint(x + sign * record["flow"][..., 0]).astype(int)
        seen = (record["flow_valid"][..., 0] > 0) & (to >= 0) & (to < x.shape[1])
        other = record["next_images"][y[seen], to[seen]].astype(int)
        errors.append(np.abs(record["images"][seen] - other).mean())
    assert errors[0] < 9
    assert errors[1] > 40
    assert not record["flow"][..., 1].any()


def test_depth_of_the_motorcycle():
    """Its scene is 2 to 5 metres away; disparity 40 is 193 mm * 995 / (40 + 31)."""
    opened = middlebury.motorcycle("depth")
    record = opened.read(0)
    known = record["depth"][record["depth_valid"] > 0]
    assert 2 < known.min() < known.max() < 5.1
    assert not record["depth"][record["depth_valid"] == 0].any()
    depth = middlebury.depth_from_disparity(40.0, middlebury.MOTORCYCLE)
    np.testing.assert_allclose(depth, 0.193001 * 994.978 / 71.086, rtol=1e-6)
    assert len({middlebury.motorcycle(t).fingerprint for t in middlebury.TASKS}) == 3


CALIB = """cam0=[3979.911 0 1244.772; 0 3979.911 1019.507; 0 0 1]
cam1=[3979.911 0 1369.115; 0 3979.911 1019.507; 0 0 1]
doffs=124.343
baseline=193.001
width=2964
height=1988
ndisp=280
isint=0
"""
DISPARITY = np.array([[1.5, np.inf], [3.0, 4.0]])


@pytest.fixture
def scenes(tmp_path):
    for name in ("Bike", "Piano"):
        put(tmp_path / name / "im0.png", picture(2, 2, seed=0))
        put(tmp_path / name / "im1.png", picture(2, 2, seed=1))
        values = struct.pack("<ffff", *DISPARITY[1], *DISPARITY[0])
        put(tmp_path / name / "disp0.pfm", b"Pf\n2 2\n-0.003922\n" + values)
        put(tmp_path / name / "calib.txt", CALIB)
    return tmp_path


def test_folders_of_2014(scenes):
    opened = middlebury.open_split(scenes)
    record = opened.read(1)
    assert record["image_id"] == "Piano"
    np.testing.assert_array_equal(record["images"], picture(2, 2, seed=0))
    np.testing.assert_array_equal(record["right_images"], picture(2, 2, seed=1))
    np.testing.assert_array_equal(record["disparity"][..., 0], [[1.5, 0], [3, 4]])
    np.testing.assert_array_equal(record["disparity_valid"][..., 0], [[1, 0], [1, 1]])
    flow = middlebury.open_split(scenes, task="flow").read(0)["flow"]
    np.testing.assert_array_equal(flow[1], [[-3, 0], [-4, 0]])
    depth = middlebury.open_split(scenes, task="depth").read(0)["depth"]
    np.testing.assert_allclose(depth[1, 1], 0.193001 * 3979.911 / 128.343, rtol=1e-6)
    assert depth[0, 1] == 0


def test_calibration_divided_by_four_is_the_motorcycles(scenes):
    read = middlebury.read_calibration(scenes / "Bike/calib.txt")
    np.testing.assert_allclose(
        read[:2], np.multiply(middlebury.MOTORCYCLE[:2], 4), 1e-5
    )
    assert read.baseline == middlebury.MOTORCYCLE.baseline


def test_split_folders_of_the_evaluation_kit(scenes):
    (scenes / "trainingQ").mkdir()
    (scenes / "Bike").rename(scenes / "trainingQ/Bike")
    (scenes / "trainingQ/Bike/disp0.pfm").rename(scenes / "trainingQ/Bike/disp0GT.pfm")
    assert middlebury.open_split(scenes, "trainingQ").count == 1


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("im1.png", None, "the right image of Bike is missing: copy it"),
        ("calib.txt", None, "the calibration of Bike is missing"),
        ("calib.txt", CALIB.replace("doffs", "do"), "'doffs' is missing or no number"),
        ("calib.txt", CALIB.replace("=193.001", "=-"), "'-' is missing or no number"),
        ("disp0.pfm", b"Pf\n2 2\n-1\n" + bytes(15), "disp0.pfm: is truncated"),
    ],
)
def test_malformed_scenes(scenes, name, content, line):
    path = scenes / "Bike" / name
    path.unlink()
    if content is not None:
        put(path, content)
    with pytest.raises(ValueError, match=f"1 of 2 scenes .*{line}"):
        middlebury.open_split(scenes)
    opened = middlebury.open_split(scenes, max_bad_share=0.5)
    assert [opened.count, len(opened.bad)] == [1, 1]


def test_pictures_of_several_sizes(scenes):
    put(scenes / "Bike/im1.png", picture(2, 3))
    opened = middlebury.open_split(scenes)
    with pytest.raises(BadRecord, match=r"im0\.png: sizes \(h, w\) differ"):
        opened.read(0)


def test_wrong_options(scenes):
    for make in (
        middlebury.motorcycle,
        lambda task: middlebury.open_split("x", task=task),
    ):
        with pytest.raises(ValueError, match="task 'pose' is not one of stereo, flow"):
            make("pose")
    with pytest.raises(FileNotFoundError, match="no folder .*none: expected SCENE/im0"):
        middlebury.open_split(scenes, "none")


def test_a_scikit_image_without_the_files(tmp_path, monkeypatch):
    monkeypatch.setattr(skimage, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(FileNotFoundError, match="does not bring it; install 0.26"):
        middlebury.motorcycle()
