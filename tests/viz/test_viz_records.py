import numpy as np
import pytest
from PIL import Image

from kcv.viz import label_text, label_tiles, maps, records, tiles, view
from kcv.viz.records import draw_gallery, draw_record

SIZE = (24, 32)
RNG = np.random.default_rng(0)


def _full_record():
    """A record with every key that there is."""
    height, width = SIZE
    masks = np.zeros((2, height, width), np.uint8)
    masks[0, 2:9, 3:12] = masks[1, 10:20, 15:30] = 1
    semantic = np.zeros(SIZE, np.int32)
    semantic[:4], semantic[10:] = 255, 1
    return {
        "images": RNG.integers(0, 255, (*SIZE, 3), np.uint8),
        "labels": np.int32(1),
        "boxes": np.array([[3, 2, 12, 9], [15, 10, 30, 20]], np.float32),
        "classes": np.array([0, 1], np.int32),
        "crowd": np.array([0, 1], np.uint8),
        "masks": masks,
        "semantic": semantic,
        "keypoints": RNG.uniform(1, 20, (1, 14, 3)).astype(np.float32) // 1,
        "depth": RNG.uniform(1, 9, (*SIZE, 1)).astype(np.float32),
        "normals": np.full((*SIZE, 3), (0, 0, 1), np.float32),
        "albedo": RNG.random((*SIZE, 3)).astype(np.float32),
        "shading": RNG.random((*SIZE, 1)).astype(np.float32),
        "next_images": RNG.integers(0, 255, (*SIZE, 3), np.uint8),
        "flow": RNG.normal(size=(*SIZE, 2)).astype(np.float32),
        "flow_valid": np.ones((*SIZE, 1), np.uint8),
        "flow_backward": RNG.normal(size=(*SIZE, 2)).astype(np.float32),
        "occlusion": np.eye(*SIZE, dtype=np.uint8)[..., None],
        "frames": RNG.integers(0, 255, (5, *SIZE, 3), np.uint8),
        "attributes": np.array([0, 1, 1], np.float32),
        "captions": np.array([b"A star.", b"A ring."], object),
        "questions": b"Is there a star?",
        "answers": b"yes",
        "answer_class": np.int32(0),
        "choices": np.array([b"yes", b"no", b""], object),
        "disparity": RNG.random((*SIZE, 1)).astype(np.float32),
        "disparity_valid": np.ones((*SIZE, 1), np.uint8),
        "image_id": "a7",
        "relations": np.zeros((3, 3, 2), np.int8),
        "visibility": np.array([1.0, 0.5], np.float32),
        "instance": np.full(SIZE, -1, np.int32),
        "speed": np.float32(2.5),
    }


ALL = _full_record()
NAMES = ["star", "ring", "drop"]


@pytest.fixture(scope="module")
def panel():
    return draw_record(ALL, NAMES)


def _changed(value):
    """The value with other content and the same shape."""
    value = np.asarray(value)
    if value.dtype.kind in "OSU":
        return np.full(value.shape, "something else", object)
    if value.dtype == np.uint8 and value.max() <= 1:
        return 1 - value
    if value.ndim == 3 and value.shape[2] == 3 and value.dtype.kind == "f":
        return np.roll(value, 1, axis=2) * 0.5
    return value * 0.5 if value.dtype.kind == "f" else value + 1


@pytest.mark.parametrize("key", ALL)
def test_every_label_is_seen(key, panel):
    """Whatever changes in a record changes its picture: nothing is hidden."""
    before = panel
    after = draw_record({**ALL, key: _changed(ALL[key])}, NAMES)
    assert before.shape != after.shape or (before != after).any()


@pytest.mark.parametrize("key", ALL)
def test_every_label_may_stand_alone(key):
    panel = draw_record({key: ALL[key]})
    assert panel.dtype == np.uint8 and panel.shape[2] == 3
    assert (panel < 200).any()


def test_panel_is_no_wider_than_asked():
    wide = draw_record(ALL, width=1320)
    narrow = draw_record(ALL, width=660)
    assert narrow.shape[1] <= 660 + 2 * tiles.GAP + 2 < wide.shape[1]
    assert len(narrow) > len(wide)


@pytest.mark.parametrize(
    ("key", "shape", "message"),
    [
        ("boxes", (2, 5), r"boxes has shape \(2, 5\); \(n, 4\) is needed"),
        ("masks", (2, 24, 31), "masks has shape .* with n = 2, h = 24, w = 32 is"),
        ("classes", (3,), r"classes has shape \(3,\); \(n,\) with n = 2 is needed"),
        (
            "flow",
            (24, 32, 3),
            r"flow has .*; \(h, w, 2\) with h = 24, w = 32 is needed",
        ),
        ("depth", (24, 32), "depth has shape"),
        ("images", (0, 32, 3), "images has shape"),
        ("images", (24, 32, 4), "images has shape"),
    ],
)
def test_wrong_shapes_are_named(key, shape, message):
    with pytest.raises(ValueError, match=message):
        draw_record({**ALL, key: np.zeros(shape, np.float32)})


def _view(record, **changes):
    image, scale = view.canvas(record, SIZE, (0, 255))
    how = view.View(image, SIZE, scale, ("star", "ring"), None, None, (0, 255), 1320)
    return how._replace(**changes)


def _titles(record):
    found, _ = label_tiles.of_record(record, _view(record))
    return [tile.title for tile in found]


def test_empty_slots_are_no_boxes():
    record = {
        "images": ALL["images"],
        "boxes": np.array([[1, 1, 9, 9], [0, 0, 0, 0], [0, 0, 0, 0]], np.float32),
        "classes": np.array([0, -1, 1]),
    }
    assert _titles(record)[1] == "boxes: 2 in 3 slots"
    (tile,) = label_tiles._boxes(record, _view(record), "boxes")
    assert tile.legend is not None  # tells of the ring without area
    record["classes"] = np.array([0, -1, -1])
    (tile,) = label_tiles._boxes(record, _view(record), "boxes")
    assert tile.legend is None


@pytest.mark.parametrize("count", [0, 1])
def test_zero_objects(count):
    record = {
        "images": ALL["images"],
        "boxes": ALL["boxes"][:count],
        "classes": ALL["classes"][:count],
        "masks": ALL["masks"][:count],
        "keypoints": ALL["keypoints"][:count],
        "captions": ALL["captions"][:count],
    }
    assert _titles(record)[1:3] == [f"boxes: {count}", f"masks: {count}"]
    assert draw_record(record).size


def test_right_flow_brings_the_next_image_back():
    """Everything moves by (2, 1): moved back, it is the first one but at two sides."""
    first = ALL["images"]
    later = np.roll(first, (1, 2), axis=(0, 1))
    flow = np.full((*SIZE, 2), (2.0, 1.0))
    back, outside = maps.moved_back(later, flow)
    np.testing.assert_array_equal(back[:-1, :-2], first[:-1, :-2])
    assert outside[-1].all() and outside[:, -2:].all() and not outside[:-1, :-2].any()
    half, _ = maps.moved_back(first, np.full((*SIZE, 2), (0.5, 0.0)))
    mean = (first[:, :-1].astype(float) + first[:, 1:]) / 2
    np.testing.assert_allclose(half[:, :-1], mean, atol=0.5)
    _, outside = maps.moved_back(first, np.full((*SIZE, 2), np.nan))
    assert outside.all()


def test_labels_have_colours_and_255_a_hatch():
    drawn = maps.draw_labels(np.array([[0, 1, 255]]).repeat(20, 0).repeat(8, 1))
    neutral, one = maps.label_colors([0, 1])
    assert (drawn[:, :8] == neutral).all() and (drawn[:, 8:16] == one).all()
    hatch = drawn[:, 16:]
    assert set(np.unique(hatch)) == {150, 205}
    assert 0.2 < (hatch == 150).mean() < 0.3


def test_values_without_a_number_are_hatched():
    values = np.array([[1.0, 2.0, np.nan, np.inf]])
    drawn = maps.draw_values(values, valid=np.array([[1, 1, 1, 1]]))
    assert maps.limits_of(values) == (1.0, 2.0)
    assert set(np.unique(drawn[0, 2:])) <= {150, 205}
    assert drawn[0, 0].astype(int).sum() < drawn[0, 1].astype(int).sum()
    assert maps.limits_of(values, np.array([[1, 0, 1, 1]])) == (1.0, 1.0)
    assert maps.limits_of(values * np.nan) == (0.0, 0.0)


def test_normals_to_the_camera_are_light_blue():
    drawn = maps.draw_normals(np.array([[[0, 0, 1], [1, 0, 0], [0, -1, 0], [0, 0, 0]]]))
    assert drawn[0, 0].tolist() == [128, 128, 255]
    assert drawn[0, 1].tolist() == [255, 128, 128]
    assert drawn[0, 2].tolist() == [128, 255, 128]
    assert drawn[0, 3, 0] in (150, 205)


def test_linear_light_is_shown_as_srgb():
    """Linear 0.2140 is level 127.5 of sRGB."""
    drawn = maps.draw_light(np.array([[[0.0], [0.2140], [1.0], [2.0]]]))
    assert drawn[0, :, 1].tolist() == [0, 127, 255, 255]


def test_names_by_key():
    names = {"semantic": ("background", "star")}
    assert view.name_of(names, "semantic", 1) == "star"
    assert view.name_of(names, "classes", 1) == "class 1"
    assert view.name_of(("a", "b"), "classes", 1) == "b"
    assert view.name_of(("a", "b"), "classes", 2) == "class 2"
    assert view.name_of(("a", "b"), "classes", -1) == "class -1"


def test_relations_in_words():
    told = np.array([[[0, 0], [1, 0]], [[0, 1], [0, 0]]])
    told[1, 0, 0] = -1
    record = {"relations": told}
    names = {"relations": ("left_of", "above")}
    lines = [line.text for line in label_text._relations(record, names)]
    assert lines == ["1: left_of 2", "2: above 1, left_of? 1"]


def test_gallery_is_one_picture(tmp_path):
    path = draw_gallery([ALL, ALL], tmp_path / "a.png", titles=["one", "two"])
    panel = draw_record(ALL, title="one")
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width * sheet.height > 2 * panel.shape[0] * panel.shape[1]
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("given", "titles", "message"),
    [
        ([], None, "at least one record"),
        ([{}], ["a", "b"], "1 records but 2 titles"),
    ],
)
def test_gallery_refuses(given, titles, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        draw_gallery(given, tmp_path / "a.png", titles=titles)
    assert not list(tmp_path.iterdir())


def test_a_sheet_that_no_viewer_opens_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "_LARGEST", 500)
    with pytest.raises(ValueError, match="1 records make a sheet .* than 500; draw"):
        draw_gallery([{"captions": np.array(["a star"] * 40)}], tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
