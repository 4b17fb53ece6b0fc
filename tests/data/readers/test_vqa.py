import numpy as np
import pytest
from media_files import picture, put

from kcv.data.readers import records, vqa
from kcv.data.readers.records import BadRecord

GIVEN = {  # image: answers of ten people; the first is the most frequent
    1: ["yes"] * 8 + ["no"] * 2,
    2: ["red"] * 5 + ["dark red"] * 4 + ["pink"],
    3: ["yes"] * 10,
}


def question(number):
    return {"image_id": number, "question": f"Q {number}?", "question_id": 10 * number}


def annotation(number):
    return {
        "question_type": "is",
        "multiple_choice_answer": GIVEN[number][0],
        "answers": [
            {"answer": answer, "answer_confidence": "yes", "answer_id": person + 1}
            for person, answer in enumerate(GIVEN[number])
        ],
        "image_id": number,
        "answer_type": "other",
        "question_id": 10 * number,
    }


def write(root, part="train2014", questions=None, annotations=None):
    items = {"questions": questions or [question(number) for number in GIVEN]}
    put(root / f"v2_OpenEnded_mscoco_{part}_questions.json", {"info": {}, **items})
    if annotations != []:
        items = {"annotations": annotations or [annotation(n) for n in GIVEN]}
        put(root / f"v2_mscoco_{part}_annotations.json", {"license": {}, **items})
    for number in GIVEN:
        name = f"{part}/COCO_{part}_{number:012d}.jpg"
        put(root / name, picture(8, 8, number))
    return root


def test_train(tmp_path):
    opened = vqa.open_split(write(tmp_path), "train", answers=2)
    assert opened.class_names == ("yes", "red")
    record = opened.read(1)
    assert set(record) == set(opened.keys)
    assert record["image_id"] == "COCO_train2014_000000000002"
    assert record["images"].shape == (8, 8, 3)
    assert record["question_id"] == 20
    assert record["questions"] == "Q 2?"
    assert record["answers"] == "red"
    assert record["all_answers"].tolist() == GIVEN[2]
    assert record["answer_class"] == 1
    np.testing.assert_allclose(record["answer_scores"], [0, 1])
    np.testing.assert_allclose(opened.read(0)["answer_scores"], [1, 0])
    assert opened.keys["answer_scores"] == ((2,), "float32")


def test_classes_are_those_of_training(tmp_path):
    """Validation sees "red" twice as often, and still has the classes of training."""
    write(tmp_path)
    twice = [annotation(2), annotation(1)]
    questions = [question(2), question(1)]
    write(tmp_path, "val2014", questions, twice)
    opened = vqa.open_split(tmp_path, "validation", answers=1)
    assert opened.class_names == ("yes",)
    assert opened.read(0)["answer_class"] == -1
    train = vqa.open_split(tmp_path, "train")
    given = vqa.open_split(tmp_path, "validation", answers=train.class_names)
    assert given.class_names == ("yes", "red")
    (tmp_path / "v2_mscoco_train2014_annotations.json").unlink()
    with pytest.raises(FileNotFoundError, match="its answers are the classes; copy it"):
        vqa.open_split(tmp_path, "validation")


def test_vocabulary(tmp_path):
    """Equally frequent ones by the alphabet."""
    write(tmp_path, annotations=[annotation(2), annotation(1)])
    file = tmp_path / "v2_mscoco_train2014_annotations.json"
    assert vqa.answer_vocabulary(file, 5) == ("red", "yes")
    with pytest.raises(ValueError, match="0 answers: a classifier needs at least one"):
        vqa.answer_vocabulary(file, 0)


def test_test_has_no_answers(tmp_path):
    opened = vqa.open_split(write(tmp_path, "test2015", annotations=[]), "test")
    record = opened.read(2)
    assert set(record) == set(opened.keys)
    assert "answers" not in record


@pytest.mark.parametrize(
    ("questions", "annotations", "line"),
    [
        (
            [question(1), {**question(2), "image_id": 9}],
            None,
            "000009.jpg: the picture",
        ),
        ([question(1), question(1)], None, "question 10 comes twice: remove one"),
        ([question(1), {"question_id": 20}], None, "question 2: no 'question': export"),
        ([question(1), 7], None, "question 2: 'int' object"),
        (
            [question(1), {**question(2), "image_id": "x"}],
            None,
            "question 2: invalid li",
        ),
        ([question(1)] * 1 + [question(2)], [annotation(1)], "20 has no usable annot"),
        ([question(1)], [annotation(1)] * 2, "question 10 comes twice"),
        ([question(1)], [annotation(1), {"answers": []}], "annotation 2: no 'question"),
        (
            [question(1)],
            [annotation(1), {**annotation(2), "answers": []}],
            "no answers:",
        ),
    ],
)
def test_malformed_questions(tmp_path, questions, annotations, line):
    write(tmp_path, questions=questions, annotations=annotations)
    with pytest.raises(ValueError, match=f"1 of 2 questions .*{line}"):
        vqa.open_split(tmp_path, "train")
    opened = vqa.open_split(tmp_path, "train", max_bad_share=0.5)
    assert [opened.count, len(opened.bad)] == [1, 1]
    assert opened.read(0)["questions"] == "Q 1?"


def test_bad_json_and_missing_files(tmp_path):
    write(tmp_path)
    file = tmp_path / "v2_OpenEnded_mscoco_train2014_questions.json"
    text = file.read_text()
    put(file, text[:-20])
    with pytest.raises(ValueError, match=r"questions\.json: truncated"):
        vqa.open_split(tmp_path, "train")
    put(file, text.replace('"question":', "question:", 1))
    with pytest.raises(
        ValueError, match=r"questions\.json: bad JSON in line 1, column"
    ):
        vqa.open_split(tmp_path, "train")
    file.unlink()
    with pytest.raises(FileNotFoundError, match="no annotation file .*questions.json"):
        vqa.open_split(tmp_path, "train")
    with pytest.raises(FileNotFoundError, match="no annotation file .*val2014_annot"):
        vqa.open_split(tmp_path, "validation")
    with pytest.raises(ValueError, match="split 'val' is not one of train, validation"):
        vqa.open_split(tmp_path, "val")
    put(file, text)
    with pytest.raises(
        FileNotFoundError, match="no folder .*none: expected COCO_train"
    ):
        vqa.open_split(tmp_path, "train", images=tmp_path / "none")


def test_a_damaged_picture_is_skipped_when_read(tmp_path):
    write(tmp_path)
    put(tmp_path / "train2014/COCO_train2014_000000000002.jpg", b"no jpeg")
    opened = vqa.open_split(tmp_path, "train", max_bad_share=0.4)
    with pytest.raises(BadRecord, match=r"000002\.jpg: not a picture"):
        opened.read(1)
    assert records.skipping(opened)(1) is None


def test_fingerprint_follows_the_classes(tmp_path):
    write(tmp_path)
    prints = {vqa.open_split(tmp_path, "train", answers=n).fingerprint for n in (1, 2)}
    assert len(prints) == 2
