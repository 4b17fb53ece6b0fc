import collections
import functools

import language_scenes as hand
import numpy as np
import pytest

from kcv.data.scenes import balance, forms, programs, questions, relations

SCENES, ROUNDS = 160, 6


@functools.cache
def pairs():
    """Some 950 pairs of questions about 160 scenes."""
    rng = np.random.default_rng(0)
    scenes = [hand.random_scene(rng) for _ in range(SCENES)]
    sides = [questions.prepare(relations.scene_graph(*scene)) for scene in scenes]
    found = []
    for _ in range(ROUNDS):
        order = rng.permutation(SCENES).reshape(-1, 2)
        asked = [questions.ask(sides[i], sides[j], rng) for i, j in order for _ in "ab"]
        found += [pair for pair in asked if pair]
    return found


def halves():
    middle = len(pairs()) * 3 // 4
    known = [question for pair in pairs()[:middle] for question in pair]
    return known, [question for pair in pairs()[middle:] for question in pair]


def test_both_scenes_of_a_pair_answer_differently():
    assert len(pairs()) > 900
    for first, second in pairs():
        assert first.answer != second.answer
        assert first._replace(answer="") == second._replace(answer="")


def test_yes_and_no_are_as_likely_whatever_is_asked():
    """Per text, not only in all: nothing in the words tells."""
    texts = collections.defaultdict(list)
    for pair in pairs():
        texts[pair[0].text] += [question.answer for question in pair]
    binary = [answers for answers in texts.values() if {"yes", "no"} & set(answers)]
    assert len(binary) > 250
    assert all(a.count("yes") == a.count("no") == len(a) / 2 for a in binary)


def test_the_question_alone_is_worth_little():
    """Bounds: 6 points above chance overall, 10 for queries; counts below 0.35."""
    guesses = balance.question_only(*halves())
    overall = guesses.pop("all")
    assert overall.count == sum(guess.count for guess in guesses.values()) > 450
    assert overall.accuracy < overall.chance + 0.06
    for kind, bound in (("query", 0.1), ("count", None)):
        some = [guess for form, guess in guesses.items() if kind in form]
        total = sum(guess.count for guess in some)
        right = sum(guess.accuracy * guess.count for guess in some) / total
        chance = sum(guess.chance * guess.count for guess in some) / total
        assert right < (0.35 if bound is None else chance + bound), (kind, right)
    assert all(guess.accuracy <= 0.5 for guess in guesses.values())


def test_choices_alone_are_worth_little():
    """Four choices; position and length tell nothing, plausibility 8 points at most."""
    known, asked = halves()
    guesses = balance.choices_only(known + asked, known + asked)
    assert guesses["first"].count > 400
    for name in ("first", "second", "third", "fourth", "longest", "shortest"):
        assert abs(guesses[name].accuracy - 0.25) < 0.04, name
    guesses = balance.choices_only(known, asked)
    assert max(guesses["common"].accuracy, guesses["learned"].accuracy) < 0.33


def test_choices_are_four_possible_answers():
    for question, _ in pairs():
        last = question.program[-1].function
        if last == "count":
            possible = {str(number) for number in range(programs.MOST + 1)}
        elif last in ("query_colour", "query_texture", "query_shape"):
            values = programs.ASKED[last.removeprefix("query_")]
            possible = {value.replace("_", " ") for value in values}
        else:
            assert question.choices == ()
            continue
        assert len(set(question.choices)) == 4
        assert set(question.choices) <= possible
        assert question.answer in question.choices


def test_biased_questions_are_found_out():
    """Pencil: always "2" is guessed always; the first choice, always right, too."""
    steps = (programs.Step("scene"), programs.Step("count", (0,)))
    made = questions.Question("How many?", steps, "2", "count", ("2", "1", "0", "3"))
    other = made._replace(answer="1", form="other")
    guesses = balance.question_only([made, made, other], [made, other])
    assert guesses["count"] == balance.Guess(1.0, 1.0, 1)
    assert guesses["all"].count == 2
    assert balance.choices_only([made], [made])["first"].accuracy == 1
    assert balance.choices_only([made], [made])["second"].accuracy == 0


@pytest.mark.parametrize("kind", sorted(forms.FORMS))
def test_only_the_kinds_asked_for(kind):
    rng = np.random.default_rng(1)
    graphs = [hand.clear_graph(rng) for _ in range(20)]
    sides = [questions.prepare(graph) for graph in graphs if len(graph.nodes) > 3]
    asked = [questions.ask(a, b, rng, (kind,)) for a, b in zip(sides, sides[1:])]
    found = {questions.KIND_OF[pair[0].form] for pair in asked if pair}
    assert found == {kind}


def test_nothing_to_ask_of_two_empty_scenes():
    empty = questions.prepare(relations.scene_graph(hand.scene()))
    rng = np.random.default_rng(0)
    assert questions.ask(empty, empty, rng) is None
    star = questions.prepare(relations.scene_graph(hand.scene(hand.thing())))
    first, second = questions.ask(empty, star, rng)
    assert {first.answer, second.answer} in ({"no", "yes"}, {"0", "1"})


def test_the_same_generator_asks_the_same():
    graphs = [hand.clear_graph(np.random.default_rng(seed)) for seed in (1, 2)]
    sides = [questions.prepare(graph) for graph in graphs]
    asked = [questions.ask(*sides, np.random.default_rng(5)) for _ in "ab"]
    assert asked[0] == asked[1] != questions.ask(*sides, np.random.default_rng(6))


def test_unknown_kind_is_refused():
    side = questions.prepare(relations.scene_graph(hand.scene()))
    with pytest.raises(ValueError, match="kind 'colour' is not one of exist"):
        questions.ask(side, side, np.random.default_rng(0), ("colour",))
