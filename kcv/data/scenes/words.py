"""English for what scenes hold: nouns, adjectives, synonyms, articles, plurals.

A description is a tuple of (attribute, value) pairs, such as (("size", "large"),
("colour", "red"), ("shape", "star")), which reads "large red star". Besides the
attributes of a thing there is its kind: a shape, a digit or a person.
"""

import re

from kcv.data.scenes import attributes
from kcv.data.scenes import scene as scenes

KINDS = ("shape", "digit", "person")
NOUNS = {  # (one, many), the usual one first; a noun of two words stays one noun
    **{shape: ((shape, shape + "s"),) for shape in scenes.SHAPES},
    "circle": (("circle", "circles"), ("disc", "discs")),
    "cross": (("cross", "crosses"),),
    "drop": (("drop", "drops"), ("teardrop", "teardrops")),
    **{f"digit_{i}": ((f"digit {i}", f"{i}s"),) for i in range(10)},
    "person": (("person", "people"),),
    "shape": (("shape", "shapes"),),
    "digit": (("digit", "digits"),),
    "": (("thing", "things"), ("object", "objects")),
}
ADJECTIVES = {
    **{colour: (colour,) for colour in scenes.COLOUR_NAMES},
    "cyan": ("cyan", "turquoise"),
    "purple": ("purple", "violet"),
    "plain": ("plain",),
    "striped": ("striped", "stripy"),
    "checked": ("checked", "chequered"),
    "dotted": ("dotted", "spotted"),
    "matt": ("matt", "dull"),
    "shiny": ("shiny", "glossy"),
    "small": ("small", "little"),
    "large": ("large", "big"),
}
ORDER = ("size", "material", "texture", "colour")  # of adjectives
ASPECTS = {"shape": "shape", "colour": "colour", "texture": "pattern"}
ASPECTS |= {"material": "finish", "size": "size"}  # what people call an attribute
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
NUMBERS += ("nine", "ten", "eleven", "twelve")

# Where one thing is as seen from another, to be read after "is" or "are".
PLACES = {
    "left_of": ("left of", "to the left of"),
    "right_of": ("right of", "to the right of"),
    "above": ("above", "higher up than"),
    "below": ("below", "lower down than"),
    "covered_by": ("partly hidden by", "partly covered by"),
    "larger_than": ("larger than", "bigger than"),
    "smaller_than": ("smaller than",),
}
COVERING = (("partly covers", "partly cover"), ("partly hides", "partly hide"))


class Voice:
    """Picks among synonyms, and keeps to what it has picked within one text."""

    def __init__(self, rng):
        self.rng = rng
        self.picked = {}

    def pick(self, options):
        """Returns one of a tuple of options, the same one every time."""
        if options not in self.picked:
            self.picked[options] = pick(self.rng, options)
        return self.picked[options]


def pick(rng, options):
    """Returns one of the options, each as likely as the others."""
    return options[int(rng.random() * len(options))]  # 10 times faster than integers


def with_article(phrase: str) -> str:
    """Returns the phrase after "a" or "an"."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def kind_of(shape: str) -> str:
    """Returns the kind of a class: "shape", "digit" or "person"."""
    if shape in scenes.DIGITS:
        return "digit"
    return "person" if shape == "person" else "shape"


def describe(description, voice, plural=False, other=False) -> str:
    """Words a description without an article.

    Args:
        description: Tuple of (attribute, value).
        voice: `Voice`.
        plural: Whether many are meant.
        other: Whether "other" comes first.

    Returns:
        Such as "large red stars", "other people in blue shirts", "small thing".
    """
    values = dict(description)
    noun = voice.pick(NOUNS[values.get("shape", values.get("kind", ""))])[plural]
    names = [name for name in ORDER if name in values]
    if "person" in values.values():  # a person wears its attributes
        worn = [
            voice.pick(ADJECTIVES[values[name]]) for name in names if name != "size"
        ]
        if worn:
            shirt = " ".join([*worn, "shirt"])
            noun += f" in {shirt}s" if plural else f" in {with_article(shirt)}"
        names = names[:1] if "size" in values else []
    adjectives = [voice.pick(ADJECTIVES[values[name]]) for name in names]
    return " ".join([*(["other"] if other else []), *adjectives, noun])


def predicate(relation: str, voice, plural=False) -> str:
    """Words a relation with its verb; what it relates to is to follow.

    Args:
        relation: A key of `PLACES`, "covers", or "same_" and an attribute.
        voice: `Voice`.
        plural: Whether the subject is in the plural.

    Returns:
        Such as "is left of", "partly cover", "have the same colour as".
    """
    if relation == "covers":
        return voice.pick(COVERING)[plural]
    if relation.startswith("same_"):
        aspect = ASPECTS[relation.removeprefix("same_")]
        return f"{'have' if plural else 'has'} the same {aspect} as"
    return ("are " if plural else "is ") + voice.pick(PLACES[relation])


def clause(relation: str, voice, plural=False) -> str:
    """Words a relation as what follows a noun: "that is above", "to the left of"."""
    words = predicate(relation, voice, plural)
    verb, _, rest = words.partition(" ")
    if voice.pick(("short", "long")) == "short":
        if verb in ("is", "are"):
            return rest
        if verb in ("has", "have"):
            return "with " + rest
    return "that " + words


def listed(phrases) -> str:
    """Joins phrases: "a star, a ring and a heart"."""
    *head, last = phrases
    return f"{', '.join(head)} and {last}" if head else last


def sentence(text: str) -> str:
    """Returns the text with a capital first letter."""
    return text[0].upper() + text[1:]


def tokens(text: str) -> list[str]:
    """Returns the words of a text in lower case, without punctuation."""
    return re.findall(r"[a-z0-9]+", text.lower())


def names() -> set[str]:
    """Returns every word that descriptions and relations may use."""
    phrases = [word for nouns in NOUNS.values() for pair in nouns for word in pair]
    phrases += [word for words in ADJECTIVES.values() for word in words]
    phrases += [word for words in PLACES.values() for word in words]
    phrases += [word for pair in COVERING for word in pair]
    phrases += [*ASPECTS.values(), *NUMBERS, *attributes.SIZES]
    phrases += ["shirt shirts a an the other in and that is are has have with same as"]
    return set(tokens(" ".join(phrases)))
