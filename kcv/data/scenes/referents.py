"""Descriptions of things: which fit, which fit a single one, drawing them by lot.

A description is a tuple of (attribute, value). All functions look at two scenes at a
time, `sides`, since a question is asked of both; `common` are the descriptions that fit
a single thing in each.
"""

import functools
import itertools
from typing import NamedTuple

from kcv.data.scenes import programs
from kcv.data.scenes.words import pick

_ADJECTIVES = ("size", "material", "texture", "colour")
_MIXES = tuple(  # attributes that a description may have
    adjectives + noun
    for noun in ((), ("kind",), ("shape",))
    for count in range(3)
    for adjectives in itertools.combinations(_ADJECTIVES, count)
)


class Side(NamedTuple):
    """One scene of a pair, prepared.

    Parameters:
        index: `programs.Index`.
        referents: {description: node} of the descriptions that fit a single thing.
        described: For each node what fits it in up to two words: (description,
            (certain, possible) of what else it fits).
        among: What `unique_among` has found so far: {(relation, node): {description:
            node}}.
    """

    index: programs.Index
    referents: dict
    described: tuple
    among: dict


def prepare(graph) -> Side:
    """Prepares a `relations.SceneGraph` to be asked of."""
    index = programs.index(graph)
    referents, described = {}, []
    for i, node in enumerate(graph.nodes):
        short = []
        for names in _MIXES if node.seen else ():
            description = values_of(node, names)
            if description is None:
                continue
            fitting = things(index, description)
            if len(names) <= 2:
                short.append((description, fitting))
            if names and fitting == (1 << i, 1 << i):
                referents[description] = i
        described.append(tuple(short))
    return Side(index, referents, tuple(described), {})


def things(index, description):
    """Returns the set (certain, possible) of what a description fits."""
    certain, possible = index.everything
    for pair in description:
        having = index.having[pair]
        certain, possible = certain & having[0], possible & having[1]
    return certain, possible


def values_of(node, names):
    """Returns the node's description by these attributes; None if one is not sure."""
    values = node.values
    for name in names:
        if values[name] is None:
            return None
    return tuple([(name, values[name]) for name in names])


@functools.cache
def mixes(most, least, without):
    """Returns which attributes a description of so many words may have."""
    mixes = [mix for mix in _MIXES if least <= len(mix) <= most]
    return [mix for mix in mixes if not set(mix) & set(without)]


def some(rng, sides, most=3, least=1, without=()):
    """Draws a description that fits a thing of either scene; None if none is sure."""
    nodes = [node for node in pick(rng, sides).index.nodes if node.seen]
    names = pick(rng, mixes(most, least, without))
    return values_of(pick(rng, nodes), names) if nodes else None


def one(rng, common, without=()):
    """Draws a description that fits one thing in both scenes, without attributes."""
    for _ in range(8 if common else 0):
        description = pick(rng, common)
        values = dict(description)
        # To know that something is a person is to know its shape.
        told = "shape" in without and values.get("kind") == "person"
        if not told and not any(name in values for name in without):
            return description
    return None


def two(rng, sides, common, without=()):
    """Draws two descriptions that fit different things in both scenes."""
    first, second = one(rng, common, without), one(rng, common, without)
    if first is None or second is None:
        return None
    if any(side.referents[first] == side.referents[second] for side in sides):
        return None
    return first, second


def unique_among(sides, nodes, relation, without):
    """Returns what fits a single one of those in a relation to a node, in both scenes.

    Args:
        sides: Both scenes.
        nodes: A node of each.
        relation: Of `relations.RELATIONS`.
        without: Attributes that are not to be named.
    """
    first, second = (_among(side, relation, node) for side, node in zip(sides, nodes))
    return [
        description
        for description in first
        if description in second and not any(n in without for n, _ in description)
    ]


def _among(side, relation, node):
    if (relation, node) not in side.among:
        certain, possible = side.index.related[relation][node]
        certain &= side.index.everything[0]
        side.among[relation, node] = {
            description: i
            for i, described in enumerate(side.described)
            for description, fits in described
            if fits[0] & certain == 1 << i == fits[1] & possible
        }
    return side.among[relation, node]


def matters(side, description, node, relation):
    """Whether the relation leaves out some of the things that are described."""
    described = things(side.index, description)[0] & ~(1 << node)
    return described & ~side.index.related[relation][node][1] != 0
