import numpy as np
import pytest
from media_files import picture, put

from kcv.data.readers import gqa


def question(image_id="11", answer="red", **changes):
    return {
        "semantic": [
            {"operation": "select", "dependencies": [], "argument": "apple (7)"},
            {"operation": "query", "dependencies": [0], "argument": "color"},
            {"operation": "exist", "dependencies": [0, 1], "argument": ""},
        ],
        "entailed": [],
        "question": f"What colour in {image_id}?",
        "imageId": image_id,
        "isBalanced": True,
        "answer": answer,
        "fullAnswer": "It is red.",
        **changes,
    }


def thing(name="apple", **changes):
    box = {"x": 1, "y": 2, "w": 3, "h": 2}
    return {"name": name, **box, "attributes": ["red"], "relations": [], **changes}


def graph(**things):
    things = things or {
        "7": thing(relations=[{"object": "8", "name": "to the left of"}]),
        "8": thing("table", x=0, y=0, w=6, h=4, attributes=[]),
    }
    return {"width": 6, "height": 4, "location": "indoors", "objects": things}


def write(root, questions=None, graphs=None, part="train", pictures=("11", "12")):
    questions = questions or {"201": question(), "202": question("12", "no")}
    put(root / f"{part}_balanced_questions.json", questions)
    put(root / f"{part}_sceneGraphs.json", graphs or {"11": graph(), "12": graph()})
    for number in pictures:
        put(root / f"images/{number}.jpg", picture(8, 8, int(number)))
    return root


def test_train(tmp_path):
    opened = gqa.open_split(write(tmp_path), "train")
    assert opened.class_names == ("no", "red")
    record = opened.read(0)
    assert set(record) == set(opened.keys)
    assert record["image_id"] == "11"
    assert record["images"].shape == (8, 8, 3)
    assert [record["questions"], record["answers"]] == ["What colour in 11?", "red"]
    assert record["answer_class"] == 1
    steps = ["select: apple (7)", "query: color", "exist"]
    assert record["program"].tolist() == steps
    inputs = [[-1, -1, -1], [0, -1, -1], [0, 1, -1]]
    assert record["program_inputs"].tolist() == inputs
    assert record["boxes"].tolist() == [[1, 2, 4, 4], [0, 0, 6, 4]]
    assert record["object_names"].tolist() == ["apple", "table"]
    assert record["object_attributes"].tolist() == ["red", ""]
    assert record["relations"].tolist() == [[0, 1]]
    assert record["relation_names"].tolist() == ["to the left of"]
    for key, (shape, dtype) in opened.keys.items():
        value = np.asarray(record[key])
        assert value.ndim == len(shape), key
        assert dtype == "str" or value.dtype == dtype, key


def test_classes_are_those_of_training(tmp_path):
    """The folders of the download: questions1.2 and sceneGraphs."""
    write(tmp_path)
    (tmp_path / "questions1.2").mkdir()
    (tmp_path / "train_balanced_questions.json").rename(
        tmp_path / "questions1.2/train_balanced_questions.json"
    )
    questions = {"301": question(answer="red"), "302": question(answer="teal")}
    write(tmp_path, questions, part="val")
    opened = gqa.open_split(tmp_path, "validation")
    assert opened.class_names == ("no", "red")
    assert [opened.read(index)["answer_class"] for index in range(2)] == [1, -1]
    given = gqa.open_split(tmp_path, "validation", answers=("teal",))
    assert given.read(1)["answer_class"] == 0


def test_all_questions_of_several_files(tmp_path):
    write(tmp_path)
    for number in range(2):
        file = tmp_path / f"train_all_questions/train_all_questions_{number}.json"
        put(file, {str(number): question(answer=f"a{number}")})
    opened = gqa.open_split(tmp_path, "train", kind="all")
    assert opened.class_names == ("a0", "a1")
    assert opened.count == 2


def test_test_has_no_answers(tmp_path):
    bare = {"imageId": "11", "question": "What?", "isBalanced": True}
    write(tmp_path, {"401": bare}, part="test")
    (tmp_path / "test_sceneGraphs.json").unlink()
    opened = gqa.open_split(tmp_path, "test")
    assert (
        set(opened.read(0)) == set(opened.keys) == {"image_id", "images", "questions"}
    )


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (question("13"), r"its picture .*images/13\.jpg is missing: copy it there"),
        ({"imageId": "11"}, "no 'question': export it again"),
        (7, "'int' object"),
        (
            question(
                semantic=[{"operation": "a", "dependencies": [0], "argument": ""}]
            ),
            r"step 0 of its program takes steps \(0,\)",
        ),
    ],
)
def test_malformed_questions(tmp_path, item, line):
    write(tmp_path, {"201": question(), "203": item, "202": question()})
    with pytest.raises(ValueError, match=f"1 of 3 .*question 203: .*{line}"):
        gqa.open_split(tmp_path, "train")
    opened = gqa.open_split(tmp_path, "train", max_bad_share=0.4)
    assert [opened.count, len(opened.bad)] == [2, 1]


@pytest.mark.parametrize(
    ("bad", "line"),
    [
        (
            graph(a=thing(x=4, w=4)),
            r"box \(4, 2, 8, 4\) lies outside of the image of 6",
        ),
        (graph(a=thing(w=0)), r"box \(1, 2, 1, 4\) has no area"),
        (graph(a=thing(relations=[{"object": "9", "name": "on"}])), "no '9'"),
        ({"objects": {}}, "no 'width'"),
        (None, "'NoneType' object"),
    ],
)
def test_malformed_graphs(tmp_path, bad, line):
    write(tmp_path, graphs={"11": graph(), "12": bad})
    with pytest.raises(
        ValueError, match=f"question 202: scene graph of .* 12: .*{line}"
    ):
        gqa.open_split(tmp_path, "train")
    assert gqa.open_split(tmp_path, "train", max_bad_share=0.5).count == 1
    assert gqa.open_split(tmp_path, "train", scene_graphs=False).count == 2


def test_a_graph_that_is_missing(tmp_path):
    write(tmp_path, graphs={"11": graph()})
    with pytest.raises(ValueError, match="scene graph of picture 12: there is none"):
        gqa.open_split(tmp_path, "train")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda text: text[:-9], "truncated in line 1"),
        (
            lambda text: text[:-1] + ', "a" 1}',
            "bad JSON .expecting ':'. in line 1, col",
        ),
        (lambda text: text[:-1] + ' "a": 1}', "bad JSON .expecting ','"),
        (lambda text: text[:-1] + ', "a": nope}', "bad JSON .Expecting value"),
        (lambda text: f"[{text}]", "no JSON object of named entries: take the file"),
    ],
)
def test_bad_json(tmp_path, change, line):
    file = write(tmp_path) / "train_balanced_questions.json"
    put(file, change(file.read_text()))
    with pytest.raises(ValueError, match=f"train_balanced_questions.json: {line}"):
        gqa.open_split(tmp_path, "train")


def test_wrong_options(tmp_path):
    write(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"no .*val_balanced_questions\.json: co"
    ):
        gqa.open_split(tmp_path, "validation")
    with pytest.raises(ValueError, match="split 'val' is not one of"):
        gqa.open_split(tmp_path, "val")
    with pytest.raises(ValueError, match="kind 'half' is not one of balanced, all"):
        gqa.open_split(tmp_path, "train", kind="half")
    with pytest.raises(
        FileNotFoundError, match="no folder .*none: expected the pictur"
    ):
        gqa.open_split(tmp_path, "train", images=tmp_path / "none")
