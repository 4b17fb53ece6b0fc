"""VQA v2: questions about COCO's pictures, each with the answers of ten people.

Papers: Goyal et al., Making the V in VQA Matter, 2017,
https://arxiv.org/abs/1612.00837; accuracy: Antol et al., VQA: Visual Question
Answering, 2015, https://arxiv.org/abs/1505.00468; files: https://visualqa.org.
"""

import collections
import os
import pathlib
import sys

import numpy as np

from kcv.data.readers import file_sets, json_lists, pictures
from kcv.data.readers.records import Records, check_bad, fingerprint
from kcv.data.readers.vqa_score import soft_scores

_PARTS = {"train": "train2014", "validation": "val2014", "test": "test2015"}


def open_split(
    path,
    split,
    *,
    answers=3000,
    questions=None,
    annotations=None,
    images=None,
    max_bad_share=0.01,
):
    """Opens VQA v2.

    Args:
        path: Folder of v2_OpenEnded_mscoco_train2014_questions.json,
            v2_mscoco_train2014_annotations.json and train2014/COCO_train2014_*.jpg.
        split: "train", "validation" (val2014) or "test" (test2015, without answers).
        answers: The classes: a sequence of answers, such as `class_names` of the
            training split, or how many of the most frequent ones of training.
        questions: Path of the questions, instead.
        annotations: Path of the annotations, instead.
        images: Folder of the pictures, instead.
        max_bad_share: Largest share of malformed questions.

    Returns:
        `Records` with images, question_id, questions and, but for test, answers (the
        most frequent of the ten), all_answers (10,), answer_class (-1 for a rare one)
        and answer_scores (number of classes,), the accuracy that each class would get.

    Raises:
        FileNotFoundError: A file of questions or annotations is missing.
        ValueError: An unknown split, bad JSON, or too many malformed questions.
    """
    file_sets.check_choice("split", split, _PARTS)
    root, part = pathlib.Path(path), _PARTS[split]
    questions = questions or root / f"v2_OpenEnded_mscoco_{part}_questions.json"
    annotations = annotations or root / f"v2_mscoco_{part}_annotations.json"
    folder = pathlib.Path(images or root / part)
    bad, truth, vocabulary = [], {}, ()
    if split != "test":
        truth = _read_annotations(annotations, bad)
        vocabulary = _vocabulary(answers, split, root, truth)
    asked = _read_questions(questions, folder, part, truth, split, bad)
    check_bad(str(path), bad, len(asked) + len(bad), max_bad_share, "questions")
    classes = {answer: number for number, answer in enumerate(vocabulary)}

    def read(index):
        question_id, name, question = asked[index]
        record = {
            "image_id": pathlib.PurePath(name).stem,
            "images": pictures.read_image(folder / name),
            "question_id": np.int64(question_id),
            "questions": question,
        }
        if split == "test":
            return record
        most_frequent, *all_answers = truth[question_id]
        return {
            **record,
            "answers": most_frequent,
            "all_answers": np.array(all_answers),
            "answer_class": np.int32(classes.get(most_frequent, -1)),
            "answer_scores": soft_scores(all_answers, vocabulary),
        }

    keys = {
        **{"image_id": file_sets.TEXT, "images": file_sets.IMAGE},
        **{"question_id": ((), "int64"), "questions": file_sets.TEXT},
    }
    if split != "test":
        keys |= {"answers": file_sets.TEXT, "all_answers": ((None,), "str")}
        keys |= {"answer_class": ((), "int32")}
        keys |= {"answer_scores": ((len(vocabulary),), "float32")}
    files = [questions] if split == "test" else [questions, annotations]
    digest = fingerprint(files, repr(vocabulary), str(len(asked)))
    return Records(
        str(path), len(asked), read, keys, vocabulary, digest, tuple(bad), max_bad_share
    )


def answer_vocabulary(annotations, size):
    """Returns the most frequent answers of a file of annotations.

    Args:
        annotations: Path of v2_mscoco_train2014_annotations.json.
        size: How many; of equally frequent ones, the first by the alphabet.

    Returns:
        Tuple of str, the most frequent first.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Bad JSON, or a size below 1.
    """
    return _most_frequent(_read_annotations(annotations, []), size)


def _most_frequent(truth, size):
    if size < 1:
        raise ValueError(f"{size} answers: a classifier needs at least one class")
    counts = collections.Counter(answers[0] for answers in truth.values())
    return tuple(sorted(counts, key=lambda answer: (-counts[answer], answer))[:size])


def _vocabulary(answers, split, root, truth):
    if not isinstance(answers, int):
        return tuple(answers)
    if split == "train":
        return _most_frequent(truth, answers)
    train = root / f"v2_mscoco_{_PARTS['train']}_annotations.json"
    if not train.is_file():
        raise FileNotFoundError(
            f"no {train}: its answers are the classes; copy it there, or give"
            " answers=RECORDS.class_names of the training split"
        )
    return answer_vocabulary(train, answers)


def _read_annotations(path, bad):
    """Returns {question id: (most frequent answer, each person's answer ...)}."""
    truth = {}

    def keep(item):
        try:
            given = [sys.intern(answer["answer"]) for answer in item["answers"]]
            question_id = int(item["question_id"])
            most_frequent = sys.intern(item["multiple_choice_answer"])
        except (KeyError, TypeError, ValueError) as error:
            number = len(truth) + len(bad) + 1
            bad.append(f"{path}: annotation {number}: {_what(error)}: export it again")
            return
        if not given:
            bad.append(f"{path}: question {question_id} has no answers: remove it")
        elif question_id in truth:
            bad.append(f"{path}: question {question_id} comes twice: remove one")
        else:
            truth[question_id] = (most_frequent, *given)

    json_lists.read_object(path, {"annotations": keep})
    return truth


def _read_questions(path, folder, part, truth, split, bad):
    """Returns [(question id, file name of the picture, question)]."""
    file_sets.check_folder(folder, f"COCO_{part}_000000000001.jpg ... in it")
    present = set(os.listdir(folder))
    asked, seen = [], set()

    def keep(item):
        try:
            question_id, question = int(item["question_id"]), str(item["question"])
            name = sys.intern(f"COCO_{part}_{int(item['image_id']):012d}.jpg")
        except (KeyError, TypeError, ValueError) as error:
            number = len(asked) + len(bad) + 1
            bad.append(f"{path}: question {number}: {_what(error)}: export it again")
            return
        if question_id in seen:
            bad.append(f"{path}: question {question_id} comes twice: remove one")
        elif split != "test" and question_id not in truth:
            bad.append(
                f"{path}: question {question_id} has no usable annotation: take both"
                " files from one release"
            )
        elif name not in present:
            bad.append(
                f"{folder / name}: the picture of question {question_id} is missing:"
                " copy it there"
            )
        else:
            asked.append((question_id, name, question))
        seen.add(question_id)

    json_lists.read_object(path, {"questions": keep})
    return asked


def _what(error):
    return f"no {error}" if isinstance(error, KeyError) else str(error)
