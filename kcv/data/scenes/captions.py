"""Sentences about scenes, made of facts that can be checked.

A caption is made from facts, each of which holds beyond doubt in the scene graph: what
is hardly visible or lies within a margin is not mentioned, and a number is given only
where it is sure.
"""

from typing import NamedTuple

from kcv.data.scenes import referents, words
from kcv.data.scenes.words import pick

RELATIONS = ("left_of", "right_of", "above", "below", "covers", "covered_by")
RELATIONS += ("larger_than", "smaller_than", "same_colour", "same_texture")
MOST_LISTED = 4  # classes in a list
_NAMED = 0.85  # share of things that are called by their class, not "thing"

TEMPLATES = {
    "exists": (
        "{A}.",
        "There is {a}.",
        "The picture shows {a}.",
        "{A} can be seen.",
    ),
    "count": (
        "There are {n} {many}.",
        "{N} {many} can be seen.",
        "The picture shows {n} {many}.",
    ),
    "count_one": ("There is exactly one {one}.", "Only one {one} can be seen."),
    "list": ("{A}.", "The picture shows {a}.", "One can see {a}."),
    "none": (
        "There is nothing to be seen.",
        "Nothing at all.",
        "The picture shows no things.",
    ),
    "relation": (
        "{A} {is_related} {b}.",
        "There is {a} {related} {b}.",
        "The picture shows {a} {related} {b}.",
    ),
    "background": {
        "photograph": ("In the background is a photograph.", "Behind is a photograph."),
        "texture": ("The background is textured.", "Behind is a textured surface."),
        "gradient": ("The background is smooth.", "Behind is a smooth surface."),
    },
}


class Fact(NamedTuple):
    """Something that holds in a scene.

    Parameters:
        kind: "count": exactly `number` visible things fit `first`. "exists": at least
            one does. "relation": one that fits `first` stands in `relation` to another
            one that fits `second`. "background": its kind is `relation`.
        first: Description: tuple of (attribute, value).
        number: Of a count.
        relation: Of `relations.RELATIONS`, or the kind of the background.
        second: Description.
    """

    kind: str
    first: tuple = ()
    number: int = 0
    relation: str = ""
    second: tuple = ()


class Caption(NamedTuple):
    """A caption and the facts that it tells."""

    text: str
    facts: tuple[Fact, ...]


def captions(graph, rng, count: int = 5) -> tuple[Caption, ...]:
    """Captions a scene several times.

    The first one lists all things where that is sure; every fourth of the others has
    two sentences.

    Args:
        graph: `relations.SceneGraph`.
        rng: `np.random.Generator`; the same state gives the same captions.
        count: How many; they differ as long as the scene gives enough to say.

    Returns:
        `count` `Caption`s.
    """
    side = referents.prepare(graph)
    told = _listed(side, rng)
    found = [told] if told else []
    for _ in range(10 * count):
        if len(found) >= count:
            break
        caption = _sentence(graph, side, rng)
        if rng.random() < 0.25:
            more = _sentence(graph, side, rng)
            if not set(more.facts) & set(caption.facts):
                text = f"{caption.text} {more.text}"
                caption = Caption(text, caption.facts + more.facts)
        if caption.text not in [other.text for other in found]:
            found.append(caption)
    while len(found) < count:
        found.append(found[len(found) % 2 - 1] if found else _background(graph, rng))
    return tuple(found[:count])


def _sentence(graph, side, rng):
    """One sentence of a random kind; of the background where nothing else is sure."""
    makers = (_exists, _count, _relation, _relation)
    for i in rng.permutation(len(makers)):
        if caption := makers[i](side, rng):
            return caption
    return _background(graph, rng)


def _listed(side, rng):
    """All things: "Two stars, a ring and a person."; None if that is not sure.

    Where there are many classes, kinds are listed instead: "Six shapes and a digit."
    """
    nodes = side.index.nodes
    if not all(node.seen for node in nodes) or len(nodes) >= len(words.NUMBERS):
        return None
    if not nodes:
        return Caption(pick(rng, TEMPLATES["none"]), (Fact("count"),))
    for name in ("shape", "kind"):
        values = list(dict.fromkeys(node.values[name] for node in nodes))
        if len(values) <= MOST_LISTED:
            break
    voice, phrases, facts = words.Voice(rng), [], [Fact("count", number=len(nodes))]
    for value in (values[i] for i in rng.permutation(len(values))):
        number = sum(node.values[name] == value for node in nodes)
        description = ((name, value),)
        noun = words.describe(description, voice, number > 1)
        one = words.with_article(noun)
        phrases.append(f"{words.NUMBERS[number]} {noun}" if number > 1 else one)
        facts.append(Fact("count", description, number))
    return _caption("list", voice, facts, a=words.listed(phrases))


def _caption(template, voice, facts, **slots):
    slots |= {name.upper(): words.sentence(text) for name, text in slots.items()}
    return Caption(voice.pick(TEMPLATES[template]).format(**slots), tuple(facts))


def _described(side, rng, node, most, without=()):
    """Draws a description of a node, mostly with its class; None if it is not sure."""
    mixes = referents.mixes(most, 1, (*without, "kind"))
    if rng.random() < _NAMED:
        mixes = [names for names in mixes if "shape" in names] or mixes
    return referents.values_of(side.index.nodes[node], pick(rng, mixes))


def _seen(side, rng):
    """Draws a node that is well visible; None if there is none."""
    nodes = [i for i, node in enumerate(side.index.nodes) if node.seen]
    return pick(rng, nodes) if nodes else None


def _exists(side, rng):
    node = _seen(side, rng)
    description = None if node is None else _described(side, rng, node, 3)
    if description is None:
        return None
    voice = words.Voice(rng)
    phrase = words.with_article(words.describe(description, voice))
    return _caption("exists", voice, [Fact("exists", description)], a=phrase)


def _count(side, rng):
    node = _seen(side, rng)
    names = pick(rng, referents.mixes(2, 0, ()))
    if node is None:
        return None
    description = referents.values_of(side.index.nodes[node], names)
    if description is None:
        return None
    certain, possible = referents.things(side.index, description)
    number = certain.bit_count()
    if certain != possible or number >= len(words.NUMBERS):
        return None
    voice, facts = words.Voice(rng), [Fact("count", description, number)]
    phrase = words.describe(description, voice, number > 1)
    if number == 1:
        return _caption("count_one", voice, facts, one=phrase)
    return _caption("count", voice, facts, n=words.NUMBERS[number], many=phrase)


def _relation(side, rng):
    node = _seen(side, rng)
    if node is None:
        return None
    relation = pick(rng, RELATIONS)
    found = side.index.related[relation][node][0] & side.index.everything[0]
    others = [i for i in range(len(side.index.nodes)) if found >> i & 1]
    if not others:
        return None
    without = (relation.removeprefix("same_"),)
    pair = [_described(side, rng, i, 2, without) for i in (pick(rng, others), node)]
    if None in pair:
        return None
    voice = words.Voice(rng)
    a, b = (words.with_article(words.describe(d, voice)) for d in pair)
    return _caption(
        "relation",
        voice,
        [Fact("relation", pair[0], 0, relation, pair[1])],
        a=a,
        b=b,
        is_related=words.predicate(relation, voice),
        related=words.clause(relation, voice),
    )


def _background(graph, rng):
    text = pick(rng, TEMPLATES["background"][graph.background])
    return Caption(text, (Fact("background", relation=graph.background),))


def vocabulary() -> tuple[str, ...]:
    """Returns all words, sorted, that captions can be made of."""
    background = TEMPLATES["background"].values()
    groups = [group for group in TEMPLATES.values() if isinstance(group, tuple)]
    texts = " ".join(text for group in (*groups, *background) for text in group)
    slots = ("a", "b", "n", "one", "many", "is_related", "related", "A", "N")
    for slot in slots:
        texts = texts.replace("{" + slot + "}", " ")
    return tuple(sorted(words.names() | set(words.tokens(texts))))
