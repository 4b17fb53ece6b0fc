"""Functional programs over scene graphs, and the machine that runs them.

Paper: Johnson, Hariharan, van der Maaten, Fei-Fei, Zitnick, Girshick. CLEVR: A
Diagnostic Dataset for Compositional Language and Elementary Visual Reasoning. 2017.
https://arxiv.org/abs/1612.06890

Differs from the paper: what a viewer could not be sure of (slivers of things, places
within the margin) stays open all the way; a program whose answer depends on it has
none. A set is therefore two bit masks over the nodes: those surely in it and those
possibly in it.
"""

from typing import NamedTuple

from kcv.data.scenes import attributes, relations, words
from kcv.data.scenes import scene as scenes

MOST = 12  # largest count that can be an answer
ASKED = {**attributes.ATTRIBUTES, "kind": words.KINDS}  # what can be filtered by
COMPARED = ("shape", "colour", "texture", "material", "size")  # queried and compared
INPUTS = {  # name of a function -> how many inputs it takes
    "scene": 0,
    **{f"filter_{name}": 1 for name in ASKED},
    **{"unique": 1, "relate": 1, "both": 2, "either": 2},
    **{"exist": 1, "count": 1, "verify": 2},
    **{f"query_{name}": 1 for name in COMPARED},
    **{f"equal_{name}": 2 for name in COMPARED},
    **{"equal_count": 2, "more": 2, "fewer": 2},
}
ANSWERS = (
    *("yes", "no"),
    *(str(count) for count in range(MOST + 1)),
    *scenes.COLOUR_NAMES,
    *scenes.TEXTURES,
    *scenes.MATERIALS,
    *attributes.SIZES,
    *(name.replace("_", " ") for name in scenes.CLASSES),
)


class Step(NamedTuple):
    """A step of a program.

    Parameters:
        function: A key of `INPUTS`.
        inputs: Indices of earlier steps.
        value: What a filter keeps, or the relation of relate and verify; else empty.
    """

    function: str
    inputs: tuple[int, ...] = ()
    value: str = ""


class Index(NamedTuple):
    """A scene graph as bit masks; `certain` are parts of `possible`.

    Parameters:
        nodes: Of the graph.
        everything: (certain, possible).
        having: {(attribute, value): (certain, possible)}.
        related: {relation: ((certain, possible) of those in it to node i, ...)}.
    """

    nodes: tuple
    everything: tuple[int, int]
    having: dict
    related: dict


def index(graph) -> Index:
    """Prepares a `SceneGraph` for `run`."""
    every = (1 << len(graph.nodes)) - 1
    seen = sum(1 << i for i, node in enumerate(graph.nodes) if node.seen)
    having = {(name, value): (0, 0) for name in ASKED for value in ASKED[name]}
    for i, node in enumerate(graph.nodes):
        for name, value in node.values.items():
            if value is not None:
                certain, possible = having[name, value]
                having[name, value] = certain | 1 << i, possible | 1 << i
            else:
                for value in ASKED[name]:
                    certain, possible = having[name, value]
                    having[name, value] = certain, possible | 1 << i
    related = {}
    for name, matrix in graph.relations.items():
        columns = matrix.T.tolist()
        related[name] = tuple(
            (
                _mask(column, (relations.YES,)),
                _mask(column, (relations.YES, relations.UNSURE)),
            )
            for column in columns
        )
    return Index(graph.nodes, (seen, every), having, related)


def _mask(column, states):
    return sum(1 << i for i, state in enumerate(column) if state in states)


def run(program, index: Index) -> str | None:
    """Runs a program.

    Args:
        program: Sequence of `Step`s; the last one gives the answer.
        index: From `index`.

    Returns:
        One of `ANSWERS`; None if the question has no sure answer for this scene: a
        referent is not unique, something depends on what cannot be seen clearly, or
        there is more to count than 12.
    """
    results = []
    for step in program:
        inputs = [results[i] for i in step.inputs]
        result = _FUNCTIONS[step.function](step, index, *inputs)
        if result is None:
            return None
        results.append(result)
    return results[-1]


def _filter(step, index, things):
    having = index.having[step.function.removeprefix("filter_"), step.value]
    return things[0] & having[0], things[1] & having[1]


def _relate(step, index, node):
    related = index.related[step.value][node]
    return related[0] & index.everything[0], related[1]


def _unique(step, index, things):
    certain, possible = things
    if certain != possible or certain.bit_count() != 1:
        return None
    return certain.bit_length() - 1


def _both(step, index, a, b):
    return a[0] & b[0], a[1] & b[1]


def _either(step, index, a, b):
    return a[0] | b[0], a[1] | b[1]


def _exist(step, index, things):
    return "yes" if things[0] else None if things[1] else "no"


def _number(things):
    return things[0].bit_count() if things[0] == things[1] else None


def _count(step, index, things):
    number = _number(things)
    return None if number is None or number > MOST else str(number)


def _query(step, index, node):
    value = index.nodes[node].values[step.function.removeprefix("query_")]
    return value and value.replace("_", " ")


def _equal(step, index, a, b):
    name = step.function.removeprefix("equal_")
    a, b = index.nodes[a].values[name], index.nodes[b].values[name]
    return None if a is None or b is None else _yes(a == b)


def _verify(step, index, a, b):
    certain, possible = index.related[step.value][b]
    return _yes(certain >> a & 1) if (certain ^ possible) >> a & 1 == 0 else None


def _compare_counts(step, index, a, b):
    a, b = _number(a), _number(b)
    if a is None or b is None:
        return None
    return _yes({"equal_count": a == b, "more": a > b, "fewer": a < b}[step.function])


def _yes(condition):
    return "yes" if condition else "no"


_FUNCTIONS = {
    "scene": lambda step, index: index.everything,
    **{f"filter_{name}": _filter for name in ASKED},
    **{"unique": _unique, "relate": _relate, "both": _both, "either": _either},
    **{"exist": _exist, "count": _count, "verify": _verify},
    **{f"query_{name}": _query for name in COMPARED},
    **{f"equal_{name}": _equal for name in COMPARED},
    **{name: _compare_counts for name in ("equal_count", "more", "fewer")},
}


def to_tokens(program) -> list[str]:
    """Returns the program in prefix order, such as ["count", "filter_size[small]", ..].

    Since the number of inputs of each function is known, nothing else is needed.
    """

    def write(i):
        step = program[i]
        name = f"{step.function}[{step.value}]" if step.value else step.function
        return [name, *(token for j in step.inputs for token in write(j))]

    return write(len(program) - 1)


def from_tokens(names) -> tuple[Step, ...]:
    """Returns the program that `to_tokens` wrote.

    Raises:
        ValueError: The tokens are no program.
    """
    program, names = [], list(names)

    def read():
        if not names:
            raise ValueError("the program ends where an input should follow")
        token = names.pop(0)
        function, _, value = token.removesuffix("]").partition("[")
        if token not in TOKENS:
            raise ValueError(f"{token!r} is not one of programs.TOKENS")
        inputs = tuple(read() for _ in range(INPUTS[function]))
        program.append(Step(function, inputs, value))
        return len(program) - 1

    read()
    if names:
        raise ValueError(f"{names[0]!r} follows the end of the program")
    return tuple(program)


TOKENS = (
    *(
        name
        for name in INPUTS
        if name not in ("relate", "verify") and not name.startswith("filter_")
    ),
    *(f"filter_{name}[{value}]" for name in ASKED for value in ASKED[name]),
    *(f"{name}[{r}]" for name in ("relate", "verify") for r in relations.RELATIONS),
)
