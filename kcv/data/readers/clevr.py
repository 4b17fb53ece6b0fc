"""CLEVR: drawn scenes, questions as functional programs, 28 answers.

Paper: Johnson et al., CLEVR: A Diagnostic Dataset for Compositional Language and
Elementary Visual Reasoning, 2017, https://arxiv.org/abs/1612.06890. 700,000 programs
are held as numbers, a few bytes a step.
"""

import array
import os
import pathlib
import sys

import numpy as np

from kcv.data.readers import file_sets, json_lists, pictures
from kcv.data.readers.records import BadRecord, Records, check_bad, fingerprint

ATTRIBUTES = {
    "color": ("gray", "red", "blue", "green", "brown", "purple", "cyan", "yellow"),
    "shape": ("cube", "sphere", "cylinder"),
    "size": ("small", "large"),
    "material": ("rubber", "metal"),
}
RELATIONS = ("left", "right", "front", "behind")
ANSWERS = (
    *("yes", "no"),
    *map(str, range(11)),
    *(value for values in ATTRIBUTES.values() for value in values),
)
_PARTS = {"train": "train", "validation": "val", "test": "test"}


def open_split(path, split, *, scenes=True, max_bad_share=0.01):
    """Opens CLEVR (or CoGenT, whose splits are named trainA, valA, ...).

    Args:
        path: CLEVR_v1.0, with images/train/CLEVR_train_000000.png,
            questions/CLEVR_train_questions.json and scenes/CLEVR_train_scenes.json.
        split: "train", "validation" (val) or "test" (images and questions only), or a
            part's own name, such as "trainA".
        scenes: Whether to read the scenes, where there are any.
        max_bad_share: Largest share of malformed questions.

    Returns:
        `Records` with images, questions, and but for test answers, answer_class (of
        `ANSWERS`), program (k,), such as "filter_color[red]", program_inputs
        (k, 2), the steps that a step takes, -1 for none; with scenes also
        object_attributes (n, 4), indices into `ATTRIBUTES`' values, object_centres
        (n, 3), pixels x, y and depth, and object_relations (4, n, n), where
        [r, i, j] is 1 if j is `RELATIONS[r]` of i.

    Raises:
        FileNotFoundError: No folder, or no questions.
        ValueError: Bad JSON, or too many malformed questions.
    """
    root, part = pathlib.Path(path), _PARTS.get(split, split)
    folder = root / "images" / part
    questions = root / "questions" / f"CLEVR_{part}_questions.json"
    file_sets.check_folder(folder, "CLEVR_v1.0 with images, questions and scenes")
    scene_file = root / "scenes" / f"CLEVR_{part}_scenes.json"
    files, bad, known = [questions], [], None
    if scenes and scene_file.is_file():
        files.append(scene_file)
        known = _read_scenes(scene_file)
    asked = _Questions(questions, set(os.listdir(folder)), known, bad)
    json_lists.read_object(questions, {"questions": asked.keep})
    check_bad(str(path), bad, len(asked.texts) + len(bad), max_bad_share, "questions")
    has_answers = any(answer >= 0 for answer in asked.answers)

    def read(index):
        name = asked.images[index]
        record = {
            "image_id": pathlib.PurePath(name).stem,
            "images": pictures.read_image(folder / name),
            "questions": asked.texts[index],
        }
        if has_answers:
            answer = asked.answers[index]
            record |= {"answers": ANSWERS[answer], "answer_class": np.int32(answer)}
            record |= asked.program(index)
        return record if known is None else {**record, **known[name]}

    keys = {
        **{"image_id": file_sets.TEXT, "images": file_sets.IMAGE},
        "questions": file_sets.TEXT,
    }
    if has_answers:
        keys |= {"answers": file_sets.TEXT, "answer_class": ((), "int32")}
        keys |= {"program": ((None,), "str"), "program_inputs": ((None, 2), "int32")}
    if known is not None:
        keys |= _SCENE_KEYS
    return Records(
        str(path),
        len(asked.texts),
        read,
        keys,
        ANSWERS,
        fingerprint(files, part),
        tuple(bad),
        max_bad_share,
    )


class _Questions:
    """The questions of a file, steps of programs as numbers in flat arrays."""

    def __init__(self, path, present, scenes, bad):
        self.path, self.present, self.scenes, self.bad = path, present, scenes, bad
        self.texts, self.images, self.answers = [], [], array.array("b")
        self.tokens, self.token_numbers = [], {}
        self.steps, self.inputs = array.array("H"), array.array("b")
        self.starts = array.array("q", [0])

    def keep(self, item):
        number = len(self.texts) + len(self.bad)
        try:
            self._keep(item)
        except BadRecord as error:
            self.bad.append(f"{self.path}: question {number}: {error}")
        except (KeyError, TypeError, ValueError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else error
            self.bad.append(f"{self.path}: question {number}: {what}: export it again")

    def _keep(self, item):
        name, text = sys.intern(item["image_filename"]), str(item["question"])
        if name not in self.present:
            raise BadRecord(f"its picture {name} is missing: copy it there")
        if self.scenes is not None:
            scene = self.scenes.get(name, "there is none")
            if isinstance(scene, str):
                raise BadRecord(f"scene of {name}: {scene}: take files of one release")
        answer, steps, inputs = -1, [], []
        if "answer" in item:
            if item["answer"] not in ANSWERS:
                raise BadRecord(f"{item['answer']!r} is none of CLEVR's 28 answers")
            answer = ANSWERS.index(item["answer"])
            for at, step in enumerate(item["program"]):
                steps.append(self._token(step))
                inputs += _inputs(step["inputs"], at)
        self.texts.append(text)
        self.images.append(name)
        self.answers.append(answer)
        self.steps.extend(steps)
        self.inputs.extend(inputs)
        self.starts.append(len(self.steps))

    def _token(self, step):
        """Numbers "filter_color[red]"; older files say type and side_inputs."""
        function = step["function"] if "function" in step else step["type"]
        values = step.get("value_inputs", step.get("side_inputs")) or ()
        token = f"{function}[{','.join(values)}]" if values else function
        if token not in self.token_numbers:
            self.token_numbers[token] = len(self.tokens)
            self.tokens.append(token)
        return self.token_numbers[token]

    def program(self, index):
        start, stop = self.starts[index : index + 2]
        tokens = [self.tokens[number] for number in self.steps[start:stop]]
        inputs = np.array(self.inputs[2 * start : 2 * stop], np.int32).reshape(-1, 2)
        return {"program": np.array(tokens, str), "program_inputs": inputs}


def _inputs(inputs, at):
    if len(inputs) > 2 or not all(0 <= source < at for source in inputs):
        raise BadRecord(f"step {at} of its program takes steps {inputs}: not before it")
    return (*inputs, -1, -1)[:2]


_SCENE_KEYS = {
    "object_attributes": ((None, 4), "int32"),
    "object_centres": ((None, 3), "float32"),
    "object_relations": ((len(RELATIONS), None, None), "uint8"),
}


def _read_scenes(path):
    """Returns {file name of the picture: arrays of `_SCENE_KEYS`, or what is wrong}."""
    scenes = {}

    def keep(item):
        name = item.get("image_filename") if isinstance(item, dict) else None
        try:
            scenes[name] = _scene(item)
        except KeyError as error:
            scenes[name] = f"no {error}"
        except (TypeError, ValueError, IndexError) as error:
            scenes[name] = str(error)

    json_lists.read_object(path, {"scenes": keep})
    return scenes


def _scene(item):
    objects, count = item["objects"], len(item["objects"])
    attributes = [
        [values.index(thing[name]) for name, values in ATTRIBUTES.items()]
        for thing in objects
    ]
    relations = np.zeros((len(RELATIONS), count, count), np.uint8)
    for number, name in enumerate(RELATIONS):
        for thing, others in enumerate(item["relationships"][name]):
            relations[number, thing, others] = 1
    centres = [thing["pixel_coords"] for thing in objects]
    return {
        "object_attributes": np.array(attributes, np.int32).reshape(count, 4),
        "object_centres": np.array(centres, np.float32).reshape(count, 3),
        "object_relations": relations,
    }
