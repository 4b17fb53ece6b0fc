import functools

import language_scenes as hand
import numpy as np
import pytest
import reading

from kcv.data.scenes import (
    Config,
    captions,
    programs,
    questions,
    relations,
    render,
    sample,
    wording,
    words,
)
from kcv.data.scenes.programs import Step

SCENE, RELATED = Step("scene"), ("relate", "verify")


@functools.cache
def asked():
    """Some 250 questions of all kinds, with the first scene of each pair."""
    rng = np.random.default_rng(0)
    sides = [
        questions.prepare(relations.scene_graph(*hand.random_scene(rng)))
        for _ in range(60)
    ]
    found = []
    for first, second in zip(sides, sides[1:]):
        for kind in questions.forms.FORMS:
            pair = questions.ask(first, second, rng, (kind,))
            found += [(pair[0], first)] if pair else []
    return found


def test_text_says_what_the_program_does():
    """Read back, the text names the values that the program filters by."""
    count = 0
    for question, _ in asked():
        wanted = [s.value for s in question.program if s.function.startswith("filter")]
        assert sorted(reading.values(question.text)) == sorted(wanted), question
        wanted = [s.value for s in question.program if s.function in RELATED]
        last = question.program[-1].function
        if last.startswith("equal_") and last != "equal_count":
            wanted.append(last.replace("equal", "same"))
        assert reading.relations(question.text) == sorted(wanted), question
        count += 1
    assert count > 150


def test_english_and_vocabulary():
    vocabulary = set(wording.vocabulary())
    for question, _ in asked():
        assert set(reading.tokens(question.text)) <= vocabulary
        assert reading.faults(question.text) == [], question.text
        assert question.text[0].isupper()
        assert question.text.endswith("?")


def worded(*program):
    rng = np.random.default_rng(0)
    return {wording.question(program, rng) for _ in range(200)}


@pytest.mark.parametrize(
    ("program", "texts"),
    [
        (
            (SCENE, Step("filter_shape", (0,), "digit_7"), Step("count", (1,))),
            {"How many 7s are there?", "What is the number of 7s?"},
        ),
        (
            (SCENE, Step("filter_colour", (0,), "orange"), Step("exist", (1,))),
            {"Is there an orange thing?", "Are there any orange objects?"},
        ),
        (
            (SCENE, Step("filter_kind", (0,), "person"), Step("count", (1,))),
            {"How many people are there?"},
        ),
        (
            (
                *(SCENE, Step("filter_shape", (0,), "digit_3"), Step("unique", (1,))),
                *(Step("relate", (2,), "same_colour"), Step("exist", (3,))),
            ),
            {
                "Is there another thing with the same colour as the digit 3?",
                "Are there any other things that have the same colour as the digit 3?",
            },
        ),
        (
            (
                *(SCENE, Step("filter_shape", (0,), "person"), Step("unique", (1,))),
                *(Step("relate", (2,), "left_of"), Step("count", (3,))),
            ),
            {
                "How many things are to the left of the person?",
                "How many objects left of the person are there?",
            },
        ),
        (
            (
                *(SCENE, Step("filter_texture", (0,), "striped")),
                *(Step("filter_kind", (1,), "person"), Step("unique", (2,))),
                Step("query_colour", (3,)),
            ),
            {"What colour does the person in a striped shirt wear?"},
        ),
        (
            (
                *(SCENE, Step("filter_size", (0,), "large")),
                *(Step("filter_colour", (1,), "red"),),
                *(Step("filter_shape", (2,), "person"), Step("count", (3,))),
            ),
            {"How many large people in red shirts are there?"},
        ),
    ],
)
def test_questions_by_pencil(program, texts):
    assert texts <= worded(*program)


def test_no_question_asks_what_it_tells():
    for question, _ in asked():
        program, last = question.program, question.program[-1]
        name, _, aspect = last.function.partition("_")
        for i in last.inputs if name in ("query", "equal") else ():
            told = described(program, program[i].inputs[0])
            assert aspect not in dict(told), question
            assert aspect != "shape" or ("kind", "person") not in told
        for step in program:
            if step.function == "either":
                first, second = (dict(described(program, i)) for i in step.inputs)
                named = [first.get("shape", ""), second.get("shape", "")]
                kinds = [first.get("kind"), second.get("kind")]
                if any(named) and any(kinds):  # not "3s or digits"
                    assert ("digit_" in "".join(named)) != ("digit" in kinds), question
            if step.value.startswith("same_"):
                assert step.value != f"same_{aspect}", question
                anchor = described(program, program[step.inputs[0]].inputs[0])
                assert step.value.removeprefix("same_") not in dict(anchor), question


def test_relations_are_not_said_in_vain():
    """Without its last relation a query is not unique, and a count is another."""
    pruned = 0
    for question, side in asked():
        program = list(question.program)
        related = [i for i, s in enumerate(program) if s.function in ("relate", "both")]
        if related and program[-1].function not in ("exist", "verify"):
            program[related[-1]] = SCENE
            assert programs.run(program, side.index) != question.answer, question
            pruned += 1
    assert pruned > 10


def described(program, i):
    """Returns the (attribute, value) pairs of the filters that end with step i."""
    function, inputs, value = program[i]
    if not function.startswith("filter"):
        return []
    return [(function.partition("_")[2], value), *described(program, inputs[0])]


def test_plurals():
    for one, many in (pair for nouns in words.NOUNS.values() for pair in nouns):
        regular = {one + "s", one + "es", one.removeprefix("digit ") + "s"}
        assert many in regular or (one, many) == ("person", "people")


def test_people_in_drawn_scenes():
    """They are asked of and told of like other things, in good English."""
    config = Config(height=48, width=48, max_objects=4, people=(1, 2))
    scenes = [sample(config, "train", 0, i) for i in range(12)]
    shares = [render(scene, {"boxes"})["visibility"] for scene in scenes]
    graphs = [relations.scene_graph(*pair) for pair in zip(scenes, shares)]
    sides, rng = (
        [questions.prepare(graph) for graph in graphs],
        np.random.default_rng(0),
    )
    texts = [c.text for graph in graphs for c in captions.captions(graph, rng)]
    for pair in zip(sides, sides[1:]):
        texts += [questions.ask(*pair, rng)[0].text for _ in range(5)]
    vocabulary = {*wording.vocabulary(), *captions.vocabulary()}
    assert {word for text in texts for word in reading.tokens(text)} <= vocabulary
    assert not [text for text in texts if reading.faults(text)]
    assert sum("person" in text or "people" in text for text in texts) > 20
