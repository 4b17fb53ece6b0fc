"""How well questions can be answered without the picture.

A data set of questions is worth little if "How many ...?" is mostly answered by "2".
Here the question alone is what a guesser has: its form and its text.
"""

import collections
from typing import NamedTuple


class Guess(NamedTuple):
    """How well a guesser does.

    Parameters:
        accuracy: Share of right answers.
        chance: Share that a uniform guess among the answers of the form gets right.
        count: Number of questions.
    """

    accuracy: float
    chance: float
    count: int


def question_only(known, asked) -> dict[str, Guess]:
    """Measures the best guesser that knows the question but not the picture.

    It gives the most common answer to the same text among those known, or to the form
    where the text is new; or else always that to the form, whichever does better on the
    questions asked: this favours the guesser.

    Args:
        known: `Question`s with answers, to learn from.
        asked: Others.

    Returns:
        {form: `Guess`}, and under "all" the mean over all questions asked.
    """
    by_text, by_form = _majorities(known, "text"), _majorities(known, "form")
    answers = collections.defaultdict(set)
    for question in known:
        answers[question.form].add(question.answer)
    right = collections.defaultdict(list)
    for question in asked:
        form = by_form.get(question.form)
        text = by_text.get(question.text, form)
        right[question.form].append((form == question.answer, text == question.answer))
    guesses = {}
    for form, pairs in right.items():
        accuracy = max(sum(column) / len(pairs) for column in zip(*pairs))
        chance = 1 / max(len(answers[form]), 1)
        guesses[form] = Guess(accuracy, chance, len(pairs))
    total = sum(guess.count for guess in guesses.values())
    accuracy = sum(g.accuracy * g.count for g in guesses.values()) / max(total, 1)
    chance = sum(g.chance * g.count for g in guesses.values()) / max(total, 1)
    return {**guesses, "all": Guess(accuracy, chance, total)}


def _majorities(questions, field):
    """Returns {text or form: its most common answer}."""
    counts = collections.defaultdict(collections.Counter)
    for question in questions:
        counts[getattr(question, field)][question.answer] += 1
    return {key: counter.most_common(1)[0][0] for key, counter in counts.items()}


def choices_only(known, asked) -> dict[str, Guess]:
    """Measures guessers that know the question and its choices but not the picture.

    Args:
        known: `Question`s with choices and answers, to learn from.
        asked: Others.

    Returns:
        {name: `Guess`}: "first" to "fourth" take that choice, "longest" and "shortest"
        go by the number of letters (the first of equals), "common" takes the choice
        that is the most common answer of the form, "learned" the one that is right most
        often when it can be chosen.
    """
    common = collections.Counter((q.form, q.answer) for q in known)
    offered = collections.Counter((q.form, c) for q in known for c in q.choices)
    guessers = {
        "first": lambda q: q.choices[0],
        "second": lambda q: q.choices[1],
        "third": lambda q: q.choices[2],
        "fourth": lambda q: q.choices[3],
        "longest": lambda q: max(q.choices, key=len),
        "shortest": lambda q: min(q.choices, key=len),
        "common": lambda q: max(q.choices, key=lambda c: common[q.form, c]),
        "learned": lambda q: max(
            q.choices, key=lambda c: common[q.form, c] / max(offered[q.form, c], 1)
        ),
    }
    asked = [question for question in asked if question.choices]
    return {
        name: Guess(
            sum(guess(q) == q.answer for q in asked) / max(len(asked), 1),
            0.25,
            len(asked),
        )
        for name, guess in guessers.items()
    }
