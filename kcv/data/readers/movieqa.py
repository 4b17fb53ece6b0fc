"""MovieQA: questions about films, five choices, clips that show the answer.

Paper: Tapaswi et al., MovieQA: Understanding Stories in Movies through
Question-Answering, 2016, https://arxiv.org/abs/1512.02902; files:
https://github.com/makarandtapaswi/MovieQA_benchmark. The same json can be written for
videos of one's own.
"""

import os
import pathlib

import numpy as np

from kcv.data.readers import clips, file_sets, json_lists, video
from kcv.data.readers.records import BadRecord, Records, check_bad, fingerprint

CHOICES = 5
_PREFIXES = {"train": "train", "validation": "val", "test": "test"}


def open_split(
    path,
    split,
    *,
    questions=None,
    videos=None,
    with_frames=True,
    frames=16,
    max_bad_share=0.01,
):
    """Opens MovieQA-style questions.

    The file is a list of {"qid": "train:0", "imdb_key": "tt0147800", "question": ...,
    "answers": [five], "correct_index": 0..4 or null, "video_clips": ["name.mp4", ...]}.

    Args:
        path: Folder of qa.json (or data/qa.json) and story/video_clips/IMDB_KEY/*.mp4.
        split: "train", "validation" (val:) or "test", by the beginning of the qid.
        questions: Path of the json, instead.
        videos: Folder of the folders of clips, instead.
        with_frames: Whether records have frames. Questions without clips (more than
            half of MovieQA is about the text alone) are then not among them.
        frames: Frames of a record, evenly from all its clips one after the other.
        max_bad_share: Largest share of malformed questions.

    Returns:
        `Records` with questions, choices (5,), answers and answer_class, 0..4 (not for
        test), and frames, uint8 (frames, h, w, 3), if wanted.

    Raises:
        FileNotFoundError: No questions.
        ValueError: An unknown split, bad JSON, or too many malformed questions.
    """
    file_sets.check_choice("split", split, _PREFIXES)
    root = pathlib.Path(path)
    given = [questions] if questions else [root / "qa.json", root / "data" / "qa.json"]
    file = next((name for name in given if os.path.isfile(name)), given[0])
    items = json_lists.read_json(file)
    if not isinstance(items, list):
        raise ValueError(f"{file}: no JSON list of questions: take it as released")
    folder = pathlib.Path(videos or root / "story" / "video_clips")
    asked, bad, seen = [], [], set()
    for number, item in enumerate(items):
        try:
            if not str(item["qid"]).startswith(f"{_PREFIXES[split]}:"):
                continue
            question = _question(item, folder, split, with_frames)
            if question["id"] in seen:
                raise BadRecord("comes twice: remove one")
            seen.add(question["id"])
            if question["clips"] or not with_frames:
                asked.append(question)
        except BadRecord as error:
            bad.append(f"{file}: question {item['qid']}: {error}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else error
            bad.append(f"{file}: question number {number}: {what}: correct it")
    check_bad(str(path), bad, len(asked) + len(bad), max_bad_share, "questions")

    def read(index):
        question = asked[index]
        record = {
            "image_id": question["id"],
            "questions": question["text"],
            "choices": np.array(question["choices"], str),
        }
        if split != "test":
            correct = question["correct"]
            record["answers"] = question["choices"][correct]
            record["answer_class"] = np.int32(correct)
        if with_frames:
            record["frames"] = read_clips(question["clips"], frames)
        return record

    keys = {"image_id": file_sets.TEXT, "questions": file_sets.TEXT}
    keys |= {"choices": ((CHOICES,), "str")}
    if split != "test":
        keys |= {"answers": file_sets.TEXT, "answer_class": ((), "int32")}
    if with_frames:
        keys |= {"frames": clips.FRAMES}
    return Records(
        str(path),
        len(asked),
        read,
        keys,
        (),
        fingerprint([file], split, *[question["id"] for question in asked]),
        tuple(bad),
        max_bad_share,
    )


def _question(item, folder, split, with_frames):
    choices, correct = (
        [str(choice) for choice in item["answers"]],
        item["correct_index"],
    )
    if len(choices) != CHOICES:
        raise BadRecord(f"{len(choices)} answers, not {CHOICES}: correct it")
    if split != "test" and (type(correct) is not int or not 0 <= correct < CHOICES):
        raise BadRecord(
            f"correct_index {correct!r} is not within 0..{CHOICES - 1}: correct it"
        )
    paths = []
    for name in item.get("video_clips", ()) if with_frames else ():
        paths.append(clips.find(folder / item["imdb_key"], name))
        file_sets.check_file(paths[-1], "clip")
    return {
        "id": str(item["qid"]),
        "text": str(item["question"]),
        "choices": choices,
        "correct": correct,
        "clips": paths,
    }


def read_clips(paths, frames):
    """Reads frames spread evenly over clips that follow each other.

    Args:
        paths: Video files.
        frames: How many.

    Returns:
        uint8 (frames, h, w, 3).

    Raises:
        BadRecord: A clip cannot be decoded, ends early, or differs in size.
    """
    looked = [video.look(path) for path in paths]
    ends = np.cumsum([clip.count for clip in looked])
    indices = video.uniform_indices(ends[-1], frames)
    which = np.searchsorted(ends, indices, side="right")
    parts = []
    for number, clip in enumerate(looked):
        own = indices[which == number] - (ends[number] - clip.count)
        if len(own):
            parts.append(video.read_frames(clip, own))
    if len(shapes := {part.shape[1:] for part in parts}) > 1:
        raise BadRecord(f"{paths[0]}: clips of several sizes, {sorted(shapes)}: resize")
    return np.concatenate(parts)
