"""Reads English back into attributes, by a dictionary of its own."""

import re

from kcv.data.scenes import scene as scenes

SYNONYMS = {
    **{"disc": "circle", "teardrop": "drop", "turquoise": "cyan", "violet": "purple"},
    **{"stripy": "striped", "chequered": "checked", "spotted": "dotted"},
    **{"dull": "matt", "glossy": "shiny", "little": "small", "big": "large"},
    **{"people": "person", "crosses": "cross"},
}
VALUES = {*scenes.CLASSES, *scenes.COLOUR_NAMES, *scenes.TEXTURES, *scenes.MATERIALS}
VALUES |= {"small", "large", "shape", "digit"}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
NUMBERS += ("nine", "ten", "eleven", "twelve")
RELATIONS = {
    r"left of": "left_of",
    r"right of": "right_of",
    r"above|higher up than": "above",
    r"below|lower down than": "below",
    r"partly (hidden|covered) by": "covered_by",
    r"partly (covers?|hides?)\b": "covers",
    r"(larger|bigger) than": "larger_than",
    r"smaller than (?!the number)": "smaller_than",
    r"same colour|[Ii]s the colour of .* that of": "same_colour",
    r"same pattern|[Ii]s the pattern of .* that of": "same_texture",
    r"same finish|[Ii]s the finish of .* that of": "same_material",
    r"same size|[Ii]s the size of .* that of": "same_size",
    r"same shape": "same_shape",
}
NOT_MEANT = r"same shape|shape of|matt or shiny|small or large|how big"


def tokens(text):
    return re.sub(r"[^a-z0-9 ]", "", text.lower()).split()


def values(text):
    """Returns the values of all attributes that a text names, in its order."""
    text = re.sub(NOT_MEANT, "", text.lower())
    text = re.sub(r"digit (\d)|(\d)s\b", r"digit_\1\2", text)
    found = []
    for word in re.sub(r"[^a-z0-9_ ]", "", text).split():
        word = SYNONYMS.get(word, word)
        word = word if word in VALUES else word.removesuffix("s")
        word = SYNONYMS.get(word, word)
        found += [word] if word in VALUES else []
    return found


def relations(text):
    """Returns the sorted relations that a text names."""
    found = [
        [name] * len(re.findall(pattern, text)) for pattern, name in RELATIONS.items()
    ]
    return sorted(name for names in found for name in names)


def numbers(text):
    """Returns the numbers that are written as words."""
    return [str(NUMBERS.index(word)) for word in tokens(text) if word in NUMBERS]


def faults(text):
    """Returns what a reader would stumble over."""
    patterns = {
        r"\b[Aa] [aeiou]": "a before a vowel",
        r"\b[Aa]n [^aeiou]": "an before a consonant",
        r"[{}_]|  | [.,?]": "left over",
        r"\b(?:two|three|four|five|six|seven) \S+ ?(?:thing|object)\b": "one",
        r"\b[Oo]ne \S* ?(?:things|objects|shapes|digits|people)\b": "many",
        r"\b(\w+) \1\b": "twice",
        r"\bdigit \ds": "plural",
        r"\bpersons|crosss": "plural",
        r"\bin an? \S* ?shirts|\bpeople in an? ": "shirts",
    }
    return [name for pattern, name in patterns.items() if re.search(pattern, text)]
