"""Forms of questions: each draws a program that two scenes might answer differently.

A form is a function (rng, sides, common) -> tuple of `programs.Step`, or None when the
draw came to nothing: `sides` are both scenes, prepared; `common` are the descriptions
that fit a single thing in each of them. What a form draws may still turn out not to be
answerable; `questions.ask` runs it and draws again.
"""

import functools

from kcv.data.scenes import programs, referents, words
from kcv.data.scenes.programs import Step
from kcv.data.scenes.words import pick

PLACES = ("left_of", "right_of", "above", "below")
COVERING = ("covers", "covered_by")
SIZES = ("larger_than", "smaller_than")
SAME = ("same_colour", "same_texture", "same_material", "same_shape")


def select(steps, description, base=None):
    """Appends the filters of a description and returns the index of the last step.

    Args:
        steps: List of `Step`s.
        description: Tuple of (attribute, value).
        base: Index of the step that gives the set; by default the scene is appended.
    """
    if base is None:
        steps.append(Step("scene"))
        base = len(steps) - 1
    for name, value in description:
        steps.append(Step(f"filter_{name}", (base,), value))
        base = len(steps) - 1
    return base


def _unique(steps, description, base=None):
    steps.append(Step("unique", (select(steps, description, base),)))
    return len(steps) - 1


def _relate(steps, relation, node):
    steps.append(Step("relate", (node,), relation))
    return len(steps) - 1


def _set_form(function, most, rng, sides, common):
    """Exist and count: how many things a description fits."""
    description = referents.some(rng, sides, most)
    if description is None:
        return None
    steps = []
    select(steps, description)
    return _end(steps, function)


def _end(steps, function, *inputs, value=""):
    inputs = inputs or (len(steps) - 1,)
    return (*steps, Step(function, inputs, value))


def _either(function, rng, sides, common):
    """How many things are red stars or rings."""
    first, second = referents.some(rng, sides, 2), referents.some(rng, sides, 2)
    if first is None or second is None or set(first) & set(second):
        return None
    for a, b in ((dict(first), dict(second)), (dict(second), dict(first))):
        if "shape" in a and words.kind_of(a["shape"]) == b.get("kind"):
            return None  # not "stars or shapes"
    steps = []
    inputs = select(steps, first), select(steps, second)
    steps.append(Step("either", inputs))
    return _end(steps, function)


def _counts(function, rng, sides, common):
    """Which of two descriptions fits more things; both name the same attributes."""
    first = referents.some(rng, sides, 2)
    second = first and referents.some(rng, sides, 2)
    if second is None or [n for n, _ in first] != [n for n, _ in second]:
        return None
    if first == second:
        return None
    steps = []
    return _end(steps, function, select(steps, first), select(steps, second))


def _query(name, rng, sides, common):
    """An attribute of a thing that is described by others."""
    description = referents.one(rng, common, (name,))
    if description is None:
        return None
    steps = []
    _unique(steps, description)
    return _end(steps, f"query_{name}")


def _equal(name, rng, sides, common):
    """Whether two things have the same value of an attribute."""
    pair = referents.two(rng, sides, common, (name,))
    if pair is None:
        return None
    steps = []
    return _end(steps, f"equal_{name}", *(_unique(steps, d) for d in pair))


def _verify(names, rng, sides, common):
    """Whether a relation holds between two things."""
    without = ("size",) if names is SIZES else ()
    pair = referents.two(rng, sides, common, without)
    return pair and _verified(pair, pick(rng, names))


def _cover(rng, sides, common):
    """Whether one thing hides part of another; in a scene of the two it does."""
    side = pick(rng, sides)
    covering = side.index.related["covers"]
    fits = {}
    for description in common:
        fits.setdefault(side.referents[description], []).append(description)
    pairs = [(i, j) for i in fits for j in fits if covering[j][0] >> i & 1]
    if not pairs:
        return None
    first, second = (pick(rng, fits[node]) for node in pick(rng, pairs))
    if pick(rng, COVERING) == "covered_by":
        return _verified((second, first), "covered_by")
    return _verified((first, second), "covers")


def _verified(pair, relation):
    steps = []
    inputs = [_unique(steps, description) for description in pair]
    return _end(steps, "verify", *inputs, value=relation)


def _related(function, names, rng, sides, common):
    """Exist, count or query of what stands in a relation to a thing."""
    aspect = function.removeprefix("query_")
    relation = pick(rng, [name for name in names if name != f"same_{aspect}"])
    shared = relation.removeprefix("same_")
    anchor = referents.one(rng, common, (shared,))  # else "as red as the red star"
    if anchor is None:
        return None
    nodes = [side.referents[anchor] for side in sides]
    wanted = _wanted(function, rng, sides, nodes, relation, (aspect, shared))
    if wanted is None:
        return None
    steps = []
    base = _relate(steps, relation, _unique(steps, anchor))
    return _finish(steps, function, wanted, base)


def _wanted(function, rng, sides, nodes, relation, without):
    """Draws whom to look for among those that stand in a relation to the nodes.

    For a query it fits one of them, but not one thing alone in the scene: else the
    relation would be said in vain.
    """
    if function in ("exist", "count"):
        wanted = referents.some(rng, sides, 2, 0, without)
        options = [] if wanted is None else [wanted]
    else:
        options = referents.unique_among(sides, nodes, relation, without)
    options = [
        wanted
        for wanted in options
        if all(referents.matters(s, wanted, n, relation) for s, n in zip(sides, nodes))
    ]
    return pick(rng, options) if options else None


def _finish(steps, function, wanted, base):
    if function in ("exist", "count"):
        select(steps, wanted, base)
    else:
        _unique(steps, wanted, base)
    return _end(steps, function)


def _both(function, rng, sides, common):
    """Exist or count of what stands in two relations to two things."""
    pair = referents.two(rng, sides, common)
    wanted = pair and referents.some(rng, sides, 1, 0)
    if wanted is None:
        return None
    names = [pick(rng, PLACES), pick(rng, PLACES)]
    for side in sides:
        for anchor, relation in zip(pair, names):
            if not referents.matters(side, wanted, side.referents[anchor], relation):
                return None
    steps = []
    inputs = [_relate(steps, r, _unique(steps, d)) for d, r in zip(pair, names)]
    steps.append(Step("both", tuple(inputs)))
    select(steps, wanted, len(steps) - 1)
    return _end(steps, function)


def _chain(function, rng, sides, common):
    """Exist, count or query at the end of two relations."""
    first, second = pick(rng, PLACES), pick(rng, PLACES)
    anchor = referents.one(rng, common)
    if anchor is None:
        return None
    nodes = [side.referents[anchor] for side in sides]
    middle = _wanted("unique", rng, sides, nodes, first, ())
    if middle is None:
        return None
    steps = []
    step = _relate(steps, first, _unique(steps, anchor))
    step = _unique(steps, middle, step)
    nodes = [programs.run(steps, side.index) for side in sides]
    aspect = function.removeprefix("query_")
    wanted = _wanted(function, rng, sides, nodes, second, (aspect,))
    if wanted is None or wanted == anchor:  # there and back again
        return None
    return _finish(steps, function, wanted, _relate(steps, second, step))


_part = functools.partial
_QUERIED = tuple(f"query_{name}" for name in programs.COMPARED)
_PLACED = PLACES + COVERING
FORMS = {  # kind -> {name: form}
    "exist": {"exist": _part(_set_form, "exist", 3)},
    "count": {
        "count": _part(_set_form, "count", 2),
        "count_either": _part(_either, "count"),
    },
    "query": {name: _part(_query, name[6:]) for name in _QUERIED},
    "compare": {
        **{f"equal_{name}": _part(_equal, name) for name in programs.COMPARED},
        **{name: _part(_counts, name) for name in ("equal_count", "more", "fewer")},
        "compare_size": _part(_verify, SIZES),
    },
    "relational": {
        "verify_place": _part(_verify, PLACES),
        "verify_cover": _cover,
        "related_exist": _part(_related, "exist", _PLACED + SIZES),
        "related_count": _part(_related, "count", PLACES),
        **{f"related_{name}": _part(_related, name, _PLACED) for name in _QUERIED},
        "same_exist": _part(_related, "exist", SAME),
        "same_count": _part(_related, "count", SAME),
        **{f"same_{name}": _part(_related, name, SAME) for name in _QUERIED},
        "both_exist": _part(_both, "exist"),
        "both_count": _part(_both, "count"),
        "chain_exist": _part(_chain, "exist"),
        "chain_count": _part(_chain, "count"),
        **{f"chain_{name}": _part(_chain, name) for name in _QUERIED},
    },
}
