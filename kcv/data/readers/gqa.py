"""GQA: questions about real pictures with programs, and the scene graphs behind them.

Paper: Hudson & Manning, GQA: A New Dataset for Real-World Visual Reasoning and
Compositional Question Answering, 2019, https://arxiv.org/abs/1902.09506; files:
https://cs.stanford.edu/people/dorarad/gqa/download.html.
"""

import collections
import os
import pathlib
import sys
from typing import NamedTuple

import numpy as np

from kcv.data.readers import box_rules, file_sets, json_entries, pictures
from kcv.data.readers.records import BadRecord, Records, check_bad, fingerprint

_PARTS = {"train": "train", "validation": "val", "testdev": "testdev", "test": "test"}


class _Question(NamedTuple):
    image_id: str
    question: str
    answer: str | None
    steps: tuple[str, ...]
    inputs: tuple[tuple[int, ...], ...]


def open_split(
    path,
    split,
    *,
    answers=None,
    kind="balanced",
    scene_graphs=True,
    images=None,
    max_bad_share=0.01,
):
    """Opens GQA.

    Args:
        path: Folder of train_balanced_questions.json ..., train_sceneGraphs.json and
            images/2370799.jpg; questions1.2 and sceneGraphs may be folders in it.
        split: "train", "validation" (val), "testdev" or "test" (without answers).
        answers: The classes, such as `class_names` of the training split; by default
            all answers of the training file in PATH, the most frequent first.
        kind: "balanced" or "all"; a folder train_all_questions is read file by file.
        scene_graphs: Whether to read scene graphs, where there are any.
        images: Folder of the pictures, PATH/images by default.
        max_bad_share: Largest share of malformed questions.

    Returns:
        `Records` with images, questions, and but for test answers, answer_class (-1
        for an answer that training lacks), program (k,), such as "filter color: red",
        program_inputs (k, 3), the steps that a step takes, -1 for none; with scene
        graphs also boxes (n, 4), object_names (n,), object_attributes (n,), separated
        by commas, relations (m, 2), indices of subject and object, and relation_names
        (m,).

    Raises:
        FileNotFoundError: No folder or no questions.
        ValueError: Bad JSON, or too many malformed questions.
    """
    file_sets.check_choice("split", split, _PARTS)
    file_sets.check_choice("kind", kind, ("balanced", "all"))
    root, part = pathlib.Path(path), _PARTS[split]
    folder = pathlib.Path(images or root / "images")
    file_sets.check_folder(folder, "the pictures of GQA, 2370799.jpg ...")
    files = _question_files(root, part, kind)
    graph_file = _find(root, f"{part}_sceneGraphs.json")
    bad, graphs = [], None
    if scene_graphs and graph_file is not None:
        graphs = _read_graphs(graph_file)
    present = {name for name in os.listdir(folder) if name.endswith(".jpg")}
    asked = []
    for file in files:
        asked += _read_questions(file, folder, present, graphs, bad)
    check_bad(str(path), bad, len(asked) + len(bad), max_bad_share, "questions")
    has_answers = all(question.answer is not None for question in asked)
    names = ()
    if has_answers:
        names = answers or _answers(asked if part == "train" else _train(root, kind))
    classes = {answer: number for number, answer in enumerate(names)}

    def read(index):
        question = asked[index]
        record = {
            "image_id": question.image_id,
            "images": pictures.read_image(folder / f"{question.image_id}.jpg"),
            "questions": question.question,
        }
        if has_answers:
            number = np.int32(classes.get(question.answer, -1))
            inputs = [(*sources, -1, -1, -1)[:3] for sources in question.inputs]
            record |= {"answers": question.answer, "answer_class": number}
            record |= {"program": np.array(question.steps, str)}
            record |= {"program_inputs": np.array(inputs, np.int32).reshape(-1, 3)}
        return record if graphs is None else {**record, **graphs[question.image_id]}

    keys = {
        **{"image_id": file_sets.TEXT, "images": file_sets.IMAGE},
        "questions": file_sets.TEXT,
    }
    if has_answers:
        keys |= {"answers": file_sets.TEXT, "answer_class": ((), "int32")}
        keys |= {"program": ((None,), "str"), "program_inputs": ((None, 3), "int32")}
    if graphs is not None:
        files, keys = [*files, graph_file], {**keys, **_GRAPH_KEYS}
    return Records(
        str(path),
        len(asked),
        read,
        keys,
        tuple(names),
        fingerprint(files, repr(tuple(names))),
        tuple(bad),
        max_bad_share,
    )


def _find(root, name):
    """Returns the path of a file or folder in PATH or one folder deeper, or None."""
    found = [root / name, *sorted(root.glob(f"*/{name}"))]
    return next((path for path in found if path.exists()), None)


def _question_files(root, part, kind):
    stem = f"{part}_{kind}_questions"
    file = _find(root, f"{stem}.json") or _find(root, stem)
    if file is None:
        raise FileNotFoundError(f"no {root / stem}.json: copy GQA's questions there")
    return [file] if file.is_file() else sorted(file.glob("*.json"))


def _train(root, kind):
    questions = []
    for file in _question_files(root, "train", kind):
        questions += _read_questions(file, None, None, None, [])
    return questions


def _answers(questions):
    counts = collections.Counter(question.answer for question in questions)
    return tuple(sorted(counts, key=lambda answer: (-counts[answer], answer)))


def _read_questions(path, folder, present, graphs, bad):
    """Returns the usable questions; with `present` None all, without their programs."""
    asked = []

    def keep(key, item):
        try:
            question = _question(item, with_steps=present is not None)
            if present is not None and f"{question.image_id}.jpg" not in present:
                file = folder / f"{question.image_id}.jpg"
                raise BadRecord(f"its picture {file} is missing: copy it there")
            if graphs is not None:
                _check_graph(graphs, question.image_id)
            asked.append(question)
        except BadRecord as error:
            bad.append(f"{path}: question {key}: {error}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else error
            bad.append(f"{path}: question {key}: {what}: export it again")

    json_entries.read_entries(path, keep)
    return asked


def _question(item, with_steps):
    steps, inputs = [], []
    for at, step in enumerate(item.get("semantic", ()) if with_steps else ()):
        argument = step["argument"]
        name = f"{step['operation']}: {argument}" if argument else step["operation"]
        sources = tuple(step["dependencies"])
        if len(sources) > 3 or not all(0 <= source < at for source in sources):
            raise BadRecord(f"step {at} of its program takes steps {sources}")
        steps.append(sys.intern(name))
        inputs.append(sources)
    answer = item.get("answer")
    answer = None if answer is None else sys.intern(answer)
    image_id = sys.intern(str(item["imageId"]))
    return _Question(image_id, item["question"], answer, tuple(steps), tuple(inputs))


_GRAPH_KEYS = {
    "boxes": ((None, 4), "float32"),
    "object_names": ((None,), "str"),
    "object_attributes": ((None,), "str"),
    "relations": ((None, 2), "int32"),
    "relation_names": ((None,), "str"),
}


def _check_graph(graphs, image_id):
    graph = graphs.get(image_id, "there is none")
    if isinstance(graph, str):
        raise BadRecord(
            f"scene graph of picture {image_id}: {graph}: correct it, or take"
            " scene_graphs=False"
        )


def _read_graphs(path):
    """Returns {image_id: arrays of `_GRAPH_KEYS`, or what is wrong as str}."""
    graphs = {}

    def keep(image_id, item):
        try:
            graphs[image_id] = _graph(item)
        except KeyError as error:
            graphs[image_id] = f"no {error}"
        except (TypeError, ValueError, AttributeError) as error:
            graphs[image_id] = str(error)

    json_entries.read_entries(path, keep)
    return graphs


def _graph(item):
    things = item["objects"]
    boxes = [
        (thing["x"], thing["y"], thing["x"] + thing["w"], thing["y"] + thing["h"])
        for thing in things.values()
    ]
    boxes, problems = box_rules.check_boxes(boxes, item["width"], item["height"])
    if problems:
        raise BadRecord(next(iter(problems.values())))
    numbers = {key: number for number, key in enumerate(things)}
    relations, names = [], []
    for number, thing in enumerate(things.values()):
        for relation in thing["relations"]:
            relations.append((number, numbers[str(relation["object"])]))
            names.append(relation["name"])
    return {
        "boxes": boxes,
        "object_names": np.array([thing["name"] for thing in things.values()], str),
        "object_attributes": np.array(
            [",".join(thing["attributes"]) for thing in things.values()], str
        ),
        "relations": np.array(relations, np.int32).reshape(-1, 2),
        "relation_names": np.array(names, str),
    }
