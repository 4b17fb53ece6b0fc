import numpy as np
import pytest
from media_files import picture, put

from kcv.data.readers import clevr


def thing(color="red", shape="cube", **changes):
    """An object as CLEVR's scene files have it."""
    return {
        "color": color,
        "shape": shape,
        "size": "large",
        "material": "metal",
        "3d_coords": [1.0, 2.0, 0.7],
        "pixel_coords": [100, 80, 9.5],
        "rotation": 30.0,
        **changes,
    }


def scene(number, **changes):
    """A red cube with a gray sphere to its left, in front of it."""
    return {
        "image_index": number,
        "image_filename": f"CLEVR_val_{number:06d}.png",
        "split": "val",
        "objects": [thing(), thing("gray", "sphere", pixel_coords=[20, 90, 8.5])],
        "relationships": {
            **{"left": [[1], []], "right": [[], [0]]},
            **{"front": [[1], []], "behind": [[], [0]]},
        },
        "directions": {"left": [-1, 0, 0]},
        **changes,
    }


PROGRAM = [
    {"function": "scene", "inputs": [], "value_inputs": []},
    {"function": "filter_color", "inputs": [0], "value_inputs": ["red"]},
    {"function": "scene", "inputs": [], "value_inputs": []},
    {"function": "intersect", "inputs": [1, 2], "value_inputs": []},
    {"function": "count", "inputs": [3], "value_inputs": []},
]


def question(number, **changes):
    return {
        "image_index": number,
        "image_filename": f"CLEVR_val_{number:06d}.png",
        "question": f"How many red things in {number}?",
        "program": PROGRAM,
        "answer": "1",
        "question_index": number,
        "question_family_index": 7,
        "split": "val",
        **changes,
    }


def write(root, questions=None, scenes=None, part="val"):
    questions = questions or [question(0), question(1)]
    put(root / f"questions/CLEVR_{part}_questions.json", {"questions": questions})
    scenes = scenes or [scene(0), scene(1)]
    put(root / f"scenes/CLEVR_{part}_scenes.json", {"info": {}, "scenes": scenes})
    for number in range(2):
        put(root / f"images/{part}/CLEVR_val_{number:06d}.png", picture(seed=number))
    return root


def test_validation(tmp_path):
    opened = clevr.open_split(write(tmp_path), "validation")
    assert opened.count == 2
    record = opened.read(1)
    assert set(record) == set(opened.keys)
    assert record["image_id"] == "CLEVR_val_000001"
    np.testing.assert_array_equal(record["images"], picture(seed=1))
    assert record["questions"] == "How many red things in 1?"
    assert record["answers"] == "1"
    assert opened.class_names[record["answer_class"]] == "1"
    steps = ["scene", "filter_color[red]", "scene", "intersect", "count"]
    assert record["program"].tolist() == steps
    inputs = [[-1, -1], [0, -1], [-1, -1], [1, 2], [3, -1]]
    assert record["program_inputs"].tolist() == inputs
    # red large metal cube; gray large metal sphere
    assert record["object_attributes"].tolist() == [[1, 0, 1, 1], [0, 1, 1, 1]]
    np.testing.assert_array_equal(
        record["object_centres"], np.float32([[100, 80, 9.5], [20, 90, 8.5]])
    )
    left = clevr.RELATIONS.index("left")  # thing 1 is left of thing 0
    assert record["object_relations"][left].tolist() == [[0, 1], [0, 0]]


def test_28_answers():
    assert len(clevr.ANSWERS) == len(set(clevr.ANSWERS)) == 28


def test_programs_of_unequal_length(tmp_path):
    short = question(1, program=PROGRAM[:2])
    opened = clevr.open_split(write(tmp_path, [question(0), short, question(1)]), "val")
    programs = [opened.read(index)["program"].tolist() for index in range(3)]
    assert [len(program) for program in programs] == [5, 2, 5]
    assert programs[1] == ["scene", "filter_color[red]"]


def test_older_names_of_functions(tmp_path):
    """CLEVR-Humans and early files say type and side_inputs."""
    program = [
        {"type": "scene", "inputs": [], "side_inputs": []},
        {"type": "relate", "inputs": [0], "side_inputs": ["left"]},
    ]
    opened = clevr.open_split(write(tmp_path, [question(0, program=program)]), "val")
    assert opened.read(0)["program"].tolist() == ["scene", "relate[left]"]


def test_test_has_questions_only(tmp_path):
    bare = {key: question(0)[key] for key in ("image_filename", "question")}
    write(tmp_path, [bare], part="test")
    (tmp_path / "scenes/CLEVR_test_scenes.json").unlink()
    opened = clevr.open_split(tmp_path, "test")
    assert (
        set(opened.read(0)) == set(opened.keys) == {"image_id", "images", "questions"}
    )


def test_without_scenes(tmp_path):
    opened = clevr.open_split(write(tmp_path), "validation", scenes=False)
    assert "object_centres" not in opened.read(0)


def test_an_empty_scene(tmp_path):
    relations = {name: [] for name in clevr.RELATIONS}
    empty = scene(0, objects=[], relationships=relations)
    opened = clevr.open_split(write(tmp_path, [question(0)], [empty]), "val")
    record = opened.read(0)
    assert record["object_attributes"].shape == (0, 4)
    assert record["object_centres"].shape == (0, 3)
    assert record["object_relations"].shape == (4, 0, 0)


GONE = "CLEVR_val_000009.png"


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (question(0, image_filename=GONE), f"its picture {GONE} is missing: copy it"),
        (question(0, answer="11"), "'11' is none of CLEVR's 28 answers"),
        (question(0, program=[PROGRAM[1]]), r"step 0 of its program takes steps \[0\]"),
        (question(0, program=[{"inputs": []}]), "no 'type': export it again"),
        ({"image_filename": "CLEVR_val_000000.png"}, "no 'question'"),
        (7, "question 1: 'int' object"),
    ],
)
def test_malformed_questions(tmp_path, item, line):
    write(tmp_path, [question(0), item, question(1)])
    with pytest.raises(ValueError, match=f"1 of 3 .*questions.json: .*{line}"):
        clevr.open_split(tmp_path, "validation")
    opened = clevr.open_split(tmp_path, "validation", max_bad_share=0.4)
    assert [opened.count, len(opened.bad)] == [2, 1]
    assert opened.read(1)["program"].shape == (5,)


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (scene(1, objects=[thing("pink"), thing()]), "'pink'|not in tuple"),
        (scene(1, relationships={}), "no 'left'"),
        (scene(1, objects=[thing()]), "out of bounds"),
        (scene(5), "there is none: take files of one release"),
    ],
)
def test_malformed_scenes(tmp_path, item, line):
    write(tmp_path, scenes=[scene(0), item])
    with pytest.raises(ValueError, match=f"1 of 2 .*scene of .*000001.png: .*({line})"):
        clevr.open_split(tmp_path, "validation")
    assert clevr.open_split(tmp_path, "validation", max_bad_share=0.5).count == 1


def test_bad_json_and_missing_files(tmp_path):
    file = write(tmp_path) / "questions/CLEVR_val_questions.json"
    put(file, file.read_text()[:-5])
    with pytest.raises(ValueError, match=r"val_questions\.json: truncated"):
        clevr.open_split(tmp_path, "validation")
    file.unlink()
    with pytest.raises(FileNotFoundError, match="no annotation file .*val_questions"):
        clevr.open_split(tmp_path, "validation")
    with pytest.raises(
        FileNotFoundError, match="no folder .*images/trainA: expected CL"
    ):
        clevr.open_split(tmp_path, "trainA")
