import struct

import numpy as np
import pytest
from media_files import flo_bytes, picture, put

from kcv.data.readers import sintel


def mask(*ones):
    values = np.zeros((4, 6), np.uint8)
    for y, x in ones:
        values[y, x] = 255
    return values


FLOW = np.ones((4, 6, 2), np.float32)


@pytest.fixture
def film(tmp_path):
    """Two scenes of three frames; the last frame has a mask, but no flow."""
    for number, scene in enumerate(("alley_1", "ambush_2")):
        for frame in (1, 2, 3):
            name = f"{scene}/frame_{frame:04d}"
            for part in ("clean", "final"):
                seed = 10 * number + frame + 100 * (part == "final")
                put(tmp_path / f"training/{part}/{name}.png", picture(seed=seed))
            put(tmp_path / f"training/invalid/{name}.png", mask((0, frame)))
            if frame < 3:
                put(tmp_path / f"training/flow/{name}.flo", flo_bytes(FLOW * frame))
                put(tmp_path / f"training/occlusions/{name}.png", mask((1, 2), (3, 3)))
            depth = struct.pack("<fii24f", 202021.25, 6, 4, *range(24))
            put(tmp_path / f"training/depth/{name}.dpt", depth)
        put(tmp_path / f"test/clean/market_1/frame_000{number + 1}.png", picture())
    return tmp_path


def test_train(film):
    opened = sintel.open_split(film, "train", depth=True)
    assert opened.count == 4
    names = [opened.read(index)["image_id"] for index in range(4)]
    assert names == [
        *("clean/alley_1/frame_0001", "clean/alley_1/frame_0002"),
        *("final/alley_1/frame_0001", "final/alley_1/frame_0002"),
    ]
    record = opened.read(1)
    assert set(record) == set(opened.keys)
    np.testing.assert_array_equal(record["images"], picture(seed=2))
    np.testing.assert_array_equal(record["next_images"], picture(seed=3))
    invalid = mask((0, 2))[..., None] > 0
    np.testing.assert_array_equal(record["flow_valid"], ~invalid)
    np.testing.assert_array_equal(record["flow"], 2 * ~invalid * np.ones(2))
    np.testing.assert_array_equal(
        record["occlusion"][..., 0], mask((1, 2), (3, 3)) // 255
    )
    np.testing.assert_array_equal(record["depth"].ravel(), np.arange(24))
    for key, (shape, dtype) in opened.keys.items():
        if key != "image_id":
            assert record[key].dtype == dtype
            assert record[key].shape[2:] == shape[2:]
    np.testing.assert_array_equal(opened.read(2)["images"], picture(seed=101))


def test_scenes_of_validation_are_no_training_scenes(film):
    opened = sintel.open_split(film, "validation", passes=("clean",))
    assert opened.count == 2
    assert opened.read(0)["image_id"] == "clean/ambush_2/frame_0001"
    everything = sintel.open_split(
        film, "train", passes=("clean",), validation_scenes=()
    )
    assert everything.count == 4


def test_test_has_images_only(film):
    opened = sintel.open_split(film, "test", passes=("clean",))
    assert opened.count == 1
    assert set(opened.read(0)) == {"image_id", "images", "next_images"}


def test_without_masks(film):
    for name in ("occlusions", "invalid"):
        (film / "training" / name).rename(film / name)
    record = sintel.open_split(film, "train").read(0)
    assert record["flow_valid"].all()
    assert "occlusion" not in record


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("clean/alley_1/frame_0003.png", "the next_images of clean/alley_1/frame_0002"),
        ("flow/alley_1/frame_0001.flo", "the flow of clean/alley_1/frame_0001 is miss"),
        ("occlusions/alley_1/frame_0002.png", "the occlusions of clean/alley_1/fra"),
    ],
)
def test_missing_files(film, name, line):
    (film / "training" / name).unlink()
    with pytest.raises(ValueError, match=f"1 of 2 .*{line}"):
        sintel.open_split(film, "train", passes=("clean",))
    opened = sintel.open_split(film, "train", passes=("clean",), max_bad_share=0.5)
    assert opened.count == 1


def test_wrong_options(film):
    with pytest.raises(ValueError, match="split 'val' is not one of"):
        sintel.open_split(film, "val")
    with pytest.raises(ValueError, match="pass 'albedo' is not one of clean, final"):
        sintel.open_split(film, "train", passes=("albedo",))
    with pytest.raises(FileNotFoundError, match="expected MPI-Sintel-complete"):
        sintel.open_split(film / "training", "train")
