import numpy as np
import pytest
from media_files import cut, noise_video, put, write_video

from kcv.data.readers import movieqa
from kcv.data.readers.records import BadRecord

CLIPS = ("one.avi", "two.avi")


def question(number, part="train", **changes):
    return {
        "qid": f"{part}:{number}",
        "imdb_key": "tt01",
        "question": f"Why {number}?",
        "answers": [f"choice {choice}" for choice in range(5)],
        "correct_index": 3,
        "video_clips": list(CLIPS),
        "plot_alignment": [2],
        **changes,
    }


def write(root, *questions):
    put(root / "qa.json", list(questions) or [question(0), question(1)])
    for seed, name in enumerate(CLIPS):
        frames = noise_video(6 + 6 * seed, 8, 8, seed)
        write_video(root / "story/video_clips/tt01" / name, frames)
    return root


def test_train(tmp_path):
    """18 frames in two clips, 6 and 12; the middles of 6 parts are 1, 4, 7, 10, ..."""
    write(tmp_path, question(0), question(1, "val"), question(2))
    opened = movieqa.open_split(tmp_path, "train", frames=6)
    assert opened.count == 2
    record = opened.read(1)
    assert set(record) == set(opened.keys)
    assert record["image_id"] == "train:2"
    assert record["questions"] == "Why 2?"
    assert record["choices"].tolist() == question(0)["answers"]
    assert [record["answers"], int(record["answer_class"])] == ["choice 3", 3]
    whole = np.concatenate([noise_video(6, 8, 8, 0), noise_video(12, 8, 8, 1)])
    np.testing.assert_array_equal(record["frames"], whole[[1, 4, 7, 10, 13, 16]])
    assert movieqa.open_split(tmp_path, "validation").count == 1


def test_fewer_frames_than_clips(tmp_path):
    opened = movieqa.open_split(write(tmp_path), "train", frames=1)
    expected = noise_video(12, 8, 8, 1)[[3]]
    np.testing.assert_array_equal(opened.read(0)["frames"], expected)


def test_questions_without_clips(tmp_path):
    """They are records of the text, and none with frames."""
    write(tmp_path, question(0), question(1, video_clips=[]))
    assert movieqa.open_split(tmp_path, "train").count == 1
    text = movieqa.open_split(tmp_path, "train", with_frames=False)
    assert text.count == 2
    assert "frames" not in text.read(0)


def test_test_has_no_answer(tmp_path):
    write(tmp_path, question(0, "test", correct_index=None))
    opened = movieqa.open_split(tmp_path, "test", frames=2)
    assert set(opened.read(0)) == set(opened.keys)
    assert "answer_class" not in opened.keys


def test_paths(tmp_path):
    root = write(tmp_path / "a")
    (root / "qa.json").rename(put(tmp_path / "a/data/qa.json", ""))
    (root / "story/video_clips").rename(tmp_path / "clips")
    opened = movieqa.open_split(root, "train", videos=tmp_path / "clips")
    assert opened.count == 2
    file = root / "data/qa.json"
    own = movieqa.open_split("x", "train", questions=file, videos=tmp_path / "clips")
    assert own.count == 2


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (
            question(1, correct_index=5),
            "train:1: correct_index 5 is not within 0..4: c",
        ),
        (question(1, correct_index=-1), "correct_index -1 is not within"),
        (question(1, correct_index=None), "correct_index None is not within"),
        (question(1, correct_index="2"), "correct_index '2' is not within"),
        (question(1, answers=["a", "b"]), "train:1: 2 answers, not 5: correct it"),
        (
            question(1, video_clips=["gone.mp4"]),
            "tt01/gone.mp4: the clip is missing: co",
        ),
        (question(0), "train:0: comes twice: remove one"),
        ({"qid": "train:1"}, "question number 1: no 'answers': correct it"),
        ({"question": "Why?"}, "question number 1: no 'qid'"),
        (7, "question number 1: 'int' object"),
    ],
)
def test_malformed_questions(tmp_path, item, line):
    write(tmp_path, question(0), item)
    with pytest.raises(ValueError, match=rf"1 of 2 .*qa\.json: .*{line}"):
        movieqa.open_split(tmp_path, "train")
    opened = movieqa.open_split(tmp_path, "train", max_bad_share=0.5)
    assert [opened.count, len(opened.bad)] == [1, 1]


def test_bad_clips(tmp_path):
    write(tmp_path)
    opened = movieqa.open_split(tmp_path, "train", frames=4)
    path = tmp_path / "story/video_clips/tt01/two.avi"
    cut(path, 0.4)
    with pytest.raises(BadRecord, match=r"two\.avi: ends after"):
        opened.read(0)
    write_video(path, noise_video(6, 16, 8))
    with pytest.raises(
        BadRecord, match=r"one\.avi: clips of several sizes, .*: resize"
    ):
        opened.read(0)


def test_bad_json(tmp_path):
    write(tmp_path)
    text = (tmp_path / "qa.json").read_text()
    put(tmp_path / "qa.json", text[:-9])
    with pytest.raises(ValueError, match=r"qa\.json: truncated"):
        movieqa.open_split(tmp_path, "train")
    put(tmp_path / "qa.json", {"questions": []})
    with pytest.raises(ValueError, match=r"qa\.json: no JSON list of questions: take"):
        movieqa.open_split(tmp_path, "train")
    with pytest.raises(ValueError, match="split 'val' is not one of train, validation"):
        movieqa.open_split(tmp_path, "val")
    with pytest.raises(FileNotFoundError, match=r"no annotation file .*none/qa\.json"):
        movieqa.open_split(tmp_path / "none", "train")
