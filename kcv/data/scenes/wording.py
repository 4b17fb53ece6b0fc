"""Reads a program aloud: from functional programs to English questions."""

from kcv.data.scenes import words

TEMPLATES = {
    "exist": (
        "Is there {a}?",
        "Are there any {many}?",
        "Does the picture show {a}?",
        "Can you see {a}?",
    ),
    "count": (
        "How many {many} are there?",
        "How many {many} can you see?",
        "What is the number of {many}?",
    ),
    "query_colour": (
        "What colour is {the}?",
        "What is the colour of {the}?",
        "Which colour does {the} have?",
    ),
    "query_texture": (
        "What pattern does {the} have?",
        "What is the pattern of {the}?",
        "Which pattern can be seen on {the}?",
    ),
    "query_material": (
        "Is {the} matt or shiny?",
        "What finish does {the} have?",
        "What is the finish of {the}?",
    ),
    "query_size": (
        "Is {the} small or large?",
        "What size is {the}?",
        "How big is {the}?",
    ),
    "query_shape": ("What is {the}?", "What kind of thing is {the}?"),
    "equal": (
        "Do {the} and {other} have the same {aspect}?",
        "Does {the} have the same {aspect} as {other}?",
        "Is the {aspect} of {the} the same as that of {other}?",
    ),
    "equal_shape": (
        "Do {the} and {other} have the same shape?",
        "Does {the} have the same shape as {other}?",
    ),
    "equal_count": (
        "Are there as many {many} as {others}?",
        "Is the number of {many} the same as the number of {others}?",
    ),
    "more": (
        "Are there more {many} than {others}?",
        "Is the number of {many} greater than the number of {others}?",
    ),
    "fewer": (
        "Are there fewer {many} than {others}?",
        "Is the number of {many} smaller than the number of {others}?",
    ),
    "covers": ("Does {the} partly cover {other}?", "Does {the} partly hide {other}?"),
    "worn_colour": ("What colour does {the} wear?", "Which colour does {the} wear?"),
    "worn_texture": ("What pattern does {the} wear?",),
}


def question(program, rng) -> str:
    """Words a program.

    Args:
        program: Sequence of `programs.Step` whose last step gives an answer.
        rng: `np.random.Generator`, picks templates and synonyms.

    Returns:
        The question.
    """
    voice = words.Voice(rng)
    last = program[-1]
    function, inputs = last.function, last.inputs
    if function == "verify":
        first, second = (_definite(program, i, voice) for i in inputs)
        if last.value == "covers":
            template = voice.pick(TEMPLATES["covers"])
            return template.format(the=first, other=second)
        return f"Is {first} {voice.pick(words.PLACES[last.value])} {second}?"
    if function.startswith("equal_") and function != "equal_count":
        aspect = words.ASPECTS[function.removeprefix("equal_")]
        first, second = (_definite(program, i, voice) for i in inputs)
        template = voice.pick(TEMPLATES.get(function, TEMPLATES["equal"]))
        return template.format(the=first, other=second, aspect=aspect)
    if function.startswith("query_"):
        name = function
        if _is_person(program, inputs[0]):
            name = name.replace("query", "worn")
            name = name if name in TEMPLATES else function
        template = voice.pick(TEMPLATES[name])
        return template.format(the=_definite(program, inputs[0], voice))
    if function == "count" and rng.random() < 0.7:
        asked = _how_many(program, inputs[0], voice)
        if asked:
            return asked
    template = voice.pick(TEMPLATES[function])
    if "{a}" in template:
        return template.format(a=_indefinite(program, inputs[0], voice))
    many = [_phrase(program, i, voice, True) for i in inputs]
    return template.format(many=many[0], others=many[-1])


def _how_many(program, i, voice):
    """Asks such as "How many stars are above the ring?"; None without a clause."""
    description, base = _split(program, i)
    if base.function == "either":
        kinds = [_phrase(program, j, voice, True) for j in base.inputs]
        return f"How many things are either {' or '.join(kinds)}?"
    if base.function == "relate":
        noun = _noun(description, base, voice, True)
        rest = words.predicate(base.value, voice, True)
        return f"How many {noun} {rest} {_definite(program, base.inputs[0], voice)}?"
    return None


def _split(program, i):
    """Walks down the filters: returns (description, the step they filter)."""
    description = []
    while program[i].function.startswith("filter_"):
        name = program[i].function.removeprefix("filter_")
        description.insert(0, (name, program[i].value))
        i = program[i].inputs[0]
    return tuple(description), program[i]


def _is_person(program, i):
    description, _ = _split(program, program[i].inputs[0])
    return "person" in dict(description).values()


def _noun(description, base, voice, plural):
    other = base.function == "relate" and base.value.startswith("same_")
    return words.describe(description, voice, plural, other)


def _phrase(program, i, voice, plural=False):
    """A noun phrase without an article."""
    if program[i].function == "either":
        kinds = [_phrase(program, j, voice, plural) for j in program[i].inputs]
        either = "are either" if plural else "is either"
        return f"things that {either} {' or '.join(kinds)}"
    description, base = _split(program, i)
    noun = _noun(description, base, voice, plural)
    if base.function == "relate":
        rest = words.clause(base.value, voice, plural)
        return f"{noun} {rest} {_definite(program, base.inputs[0], voice)}"
    if base.function == "both":
        places = []
        for relate in (program[j] for j in base.inputs):
            place = voice.pick(words.PLACES[relate.value])
            places.append(f"{place} {_definite(program, relate.inputs[0], voice)}")
        return f"{noun} that {'are' if plural else 'is'} {' and '.join(places)}"
    return noun


def _definite(program, i, voice):
    """What a "unique" step means: "the large red star"."""
    return "the " + _phrase(program, program[i].inputs[0], voice)


def _indefinite(program, i, voice):
    """Words such as "a large red star", "another star with the same colour as"."""
    phrase = _phrase(program, i, voice)
    if phrase.startswith("other "):
        return "an" + phrase
    return words.with_article(phrase)


def vocabulary() -> tuple[str, ...]:
    """Returns all words, sorted, that questions can be made of."""
    templates = " ".join(t for group in TEMPLATES.values() for t in group)
    for slot in ("a", "many", "the", "other", "others", "aspect"):
        templates = templates.replace("{" + slot + "}", " ")
    extra = "is are either or things that another how many"
    return tuple(sorted(words.names() | set(words.tokens(f"{templates} {extra}"))))
