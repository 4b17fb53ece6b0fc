import numpy as np
import pytest
from reader_files import assert_skipped, check_keys, read_all, write_json, write_picture
from scipy import io

from kcv.data.readers import mpii
from kcv.data.readers.records import BadRecord

JOINTS = [[n + 1.0, 2 * n + 2.0] for n in range(15)] + [[-1.0, -1.0]]
VISIBLE = [1] * 15 + [0]


def person(image="015601864.jpg", **change):
    new = {"image": image, "joints": JOINTS, "joints_vis": VISIBLE}
    return {**new, "center": [50.5, 40.5], "scale": 0.2, **change}


def write(root, people, names=("015601864.jpg", "015599452.jpg"), split="train"):
    for name in names:
        write_picture(root / "images" / name, 80, 100)
    write_json(root / f"annot/{split}.json", people)
    return root


def opener(root):
    def open_split(max_bad_share):
        return mpii.open_split(root, "train", max_bad_share=max_bad_share)

    return open_split


def test_json_with_a_pencil(tmp_path):
    """Pixel 1 is the first: its middle is at 0.5. Scale 0.2 is 40 pixels high."""
    people = [person(), person("015599452.jpg"), person(center=[10, 10])]
    records = opener(write(tmp_path, people))(0.0)
    check_keys(records)
    first, both = read_all(records)  # sorted by name
    assert both["image_id"] == "015601864.jpg"
    assert len(both["keypoints"]) == 2
    np.testing.assert_array_equal(both["keypoints"][0, 0], [0.5, 1.5, 2])
    np.testing.assert_array_equal(both["keypoints"][0, 15], [0, 0, 0])
    expected = [[30, 20, 70, 60], [0, 0, 29.5, 29.5]]
    np.testing.assert_allclose(both["boxes"], expected, atol=1e-4)
    assert len(first["boxes"]) == 1
    assert records.class_names == ("person",)


def test_test_people_have_no_joints(tmp_path):
    item = {"image": "015601864.jpg", "center": [50, 40], "scale": 0.2}
    write(tmp_path, [item], names=["015601864.jpg"], split="test")
    record = mpii.open_split(tmp_path, "test").read(0)
    assert not record["keypoints"].any()
    assert record["boxes"].all()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"scale": 0}, "person 1: scale 0 or numbers that are none"),
        ({"scale": None}, "person 1: not of center, scale, 16 joints"),
        ({"center": [1]}, "not of center, scale"),
        ({"joints": JOINTS[:9]}, "not of center, scale, 16 joints"),
        ({"joints": [[float("nan"), 1]] * 16}, "numbers that are none"),
        ({"joints_vis": [1]}, "and joints_vis: mend"),
        ({"image": "no.jpg"}, "no.jpg: no such file"),
        ({"image": None}, "person 1 without image"),
    ],
)
def test_fault_of_a_person(tmp_path, change, match):
    others = [person(), person(**{"image": "015599452.jpg", **change}), person("3.jpg")]
    write(tmp_path, others, names=("015601864.jpg", "015599452.jpg", "3.jpg"))
    assert_skipped(opener(tmp_path), match, 2)


def test_person_outside_is_found_when_read(tmp_path):
    write(tmp_path, [person(center=[500, 40])])
    with pytest.raises(BadRecord, match="015601864.jpg: a person whose centre"):
        opener(tmp_path)(0.0).read(0)


def test_mirrored_joints_are_those_of_the_other_side():
    for name, other in zip(mpii.JOINTS, mpii.MIRRORED_JOINTS):
        swapped = name.replace("left", "LEFT").replace("right", "left")
        assert mpii.JOINTS[other] == swapped.replace("LEFT", "right")


def structs(rows):
    """A Matlab struct array of dicts with one set of fields."""
    array = np.zeros(len(rows), [(name, object) for name in rows[0]])
    for index, row in enumerate(rows):
        array[index] = tuple(row.values())
    return array


def rect(x=50.5, y=40.5, visible=(1, "0", []), scale=0.2):
    """One person with three joints; visibility is a number, text or empty."""
    points = [
        {"x": 10.0 * (n + 1), "y": 5.5, "id": n, "is_visible": seen}
        for n, seen in enumerate(visible)
    ]
    points = {"point": structs(points)} if visible else []
    head = {"x1": 1.0, "y1": 1.0, "x2": 9.0, "y2": 9.0}
    objpos = {"x": x, "y": y}
    return {**head, "annopoints": points, "scale": scale, "objpos": objpos}


def write_mat(root, annotations, train):
    rows = [
        {"image": {"name": name}, "annorect": structs(rects) if rects else []}
        for name, rects in annotations
    ]
    release = {"annolist": structs(rows), "img_train": np.array(train)}
    for name, _ in annotations:
        write_picture(root / "images" / name, 80, 100)
    io.savemat(root / mpii.MAT_NAME, {"RELEASE": release}, do_compression=True)
    return root


def test_mat_of_the_authors(tmp_path):
    annotations = [
        ("a.jpg", [rect(), rect(visible=())]),  # the second has only a head box
        ("b.jpg", []),
        ("c.jpg", [rect(), rect(20, 30, (0, "1"))]),
        ("d.jpg", [rect()]),
    ]
    write_mat(tmp_path, annotations, [1, 1, 1, 0])
    records = opener(tmp_path)(0.0)
    check_keys(records)
    assert records.count == 2
    first, second = read_all(records)
    assert first["keypoints"].shape == (1, 16, 3)
    expected = [[9.5, 5, 2], [19.5, 5, 1], [29.5, 5, 2], [0, 0, 0]]
    np.testing.assert_array_equal(first["keypoints"][0, :4], expected)
    np.testing.assert_allclose(first["boxes"], [[30, 20, 70, 60]], atol=1e-4)
    assert second["keypoints"][1, :2, 2].tolist() == [1, 2]
    assert mpii.open_split(tmp_path, "test").read(0)["image_id"] == "d.jpg"


def test_mat_and_json_agree(tmp_path):
    joints = [[10.0, 5.5], [20.0, 5.5], [30.0, 5.5]] + [[-1, -1]] * 13
    people = [person("a.jpg", joints=joints, joints_vis=[1] * 3 + [0] * 13)]
    write(tmp_path, people, names=["a.jpg"])
    by_json = opener(tmp_path)(0.0).read(0)
    (tmp_path / "annot/train.json").unlink()
    write_mat(tmp_path, [("a.jpg", [rect(visible=(1, 1, 1))]), ("b.jpg", [])], [1, 0])
    for key, value in opener(tmp_path)(0.0).read(0).items():
        np.testing.assert_array_equal(value, by_json[key])


def test_faults_of_the_mat(tmp_path):
    write_mat(tmp_path, [("a.jpg", [rect()]), ("b.jpg", [rect(scale=[])])], [1, 1])
    assert_skipped(opener(tmp_path), "b.jpg: person 0: without objpos, scale", 1)
    with pytest.raises(ValueError, match="has train and test only: use annot/valid"):
        mpii.open_split(tmp_path, "validation")
    file = tmp_path / mpii.MAT_NAME
    for content in (b"", b"no mat", file.read_bytes()[:-50]):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"12_1.mat: no MPII .mat \(.*unpack"):
            opener(tmp_path)(0.0)


def test_what_a_wrong_call_says(tmp_path):
    with pytest.raises(ValueError, match="split 'val' is not one of train, validation"):
        mpii.open_split(tmp_path, "val")
    with pytest.raises(FileNotFoundError, match="annot/train.json.*by annotations="):
        mpii.open_split(tmp_path, "train")
    write_json(tmp_path / "annot/train.json", {"people": []})
    with pytest.raises(ValueError, match="train.json: not a list of people"):
        mpii.open_split(tmp_path, "train")
