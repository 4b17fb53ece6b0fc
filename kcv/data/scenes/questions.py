"""Questions with programs and answers, asked of two scenes that answer differently.

Every question is asked of a pair of scenes whose answers differ, so that whoever sees
the question alone is right for one of both at most: for "yes" or "no" that is chance.

Papers: Johnson et al. CLEVR. 2017. https://arxiv.org/abs/1612.06890 (programs, and what
makes a question degenerate). Goyal, Khot, Summers-Stay, Batra, Parikh. Making the V in
VQA Matter. 2017. https://arxiv.org/abs/1612.00837 (pairs).
"""

from typing import NamedTuple

from kcv.data.scenes import forms, programs, referents, wording
from kcv.data.scenes.programs import Step

FORMS = {name: form for kind in forms.FORMS.values() for name, form in kind.items()}
KIND_OF = {name: kind for kind, named in forms.FORMS.items() for name in named}
TRIES = 60  # draws per form before another is tried
_VALUES = {name: programs.ASKED[name] for name in programs.COMPARED}


class Question(NamedTuple):
    """A question about one scene.

    Parameters:
        text: In English.
        program: Tuple of `programs.Step`, whose result is the answer.
        answer: One of `programs.ANSWERS`.
        form: A key of `FORMS`.
        choices: Four answers to choose from, one of them right; empty where fewer than
            four answers are possible.
    """

    text: str
    program: tuple[Step, ...]
    answer: str
    form: str
    choices: tuple[str, ...] = ()

    @property
    def answer_class(self):
        """Index into `programs.ANSWERS`."""
        return programs.ANSWERS.index(self.answer)


def prepare(graph) -> referents.Side:
    """Prepares a `relations.SceneGraph` to be asked of."""
    return referents.prepare(graph)


def ask(first, second, rng, kinds=tuple(forms.FORMS)) -> tuple | None:
    """Asks one question of two scenes.

    Args:
        first: From `prepare`.
        second: Likewise, of another scene.
        rng: `np.random.Generator`.
        kinds: Keys of `forms.FORMS`; one is drawn first, then one of its forms.

    Returns:
        Two `Question`s that differ in their answers only; None if none was found to
        which both scenes give different sure answers, as when both are empty.

    Raises:
        ValueError: A kind is unknown.
    """
    if unknown := [kind for kind in kinds if kind not in forms.FORMS]:
        raise ValueError(f"kind {unknown[0]!r} is not one of {', '.join(forms.FORMS)}")
    common = [d for d in first.referents if d in second.referents]
    names = []
    for kind in _shuffled(rng, kinds):
        names += _shuffled(rng, tuple(forms.FORMS[kind]))
    for name in names:
        if found := _ask(name, (first, second), common, rng):
            return found
    return None


def _ask(name, sides, common, rng):
    """Draws programs of a form until both scenes answer, and differently."""
    # Counts are small, so that of four choices the least would be right most often:
    # which two by size are right is drawn before the counts are known.
    ranks = sorted(rng.permutation(4)[:2].tolist())
    for _ in range(TRIES):
        program = FORMS[name](rng, sides, common)
        if program is None:
            continue
        answers = [programs.run(program, side.index) for side in sides]
        if None in answers or answers[0] == answers[1]:
            continue
        function = program[-1].function
        choices = _choices(rng, function, answers, ranks, sides)
        if choices is not None:
            text = wording.question(program, rng)
            return tuple(Question(text, program, a, name, choices) for a in answers)
    return None


def _choices(rng, function, answers, ranks, sides):
    """Returns four answers with both right ones, shuffled; None if the ranks forbid."""
    if function == "count":
        counts = _counts(rng, *sorted(map(int, answers)), *ranks)
        return counts and _shuffled(rng, [str(count) for count in counts])
    name = function.removeprefix("query_")
    if function == name or len(_VALUES[name]) < 4:
        return ()
    present = {n.values[name] for side in sides for n in side.index.nodes}
    likely = [v for v in _VALUES[name] if v in present]
    # These scenes may have no people at all: such a choice would be no choice.
    others = [v for v in _VALUES[name] if v not in present and v != "person"]
    rest = [*_shuffled(rng, likely), *_shuffled(rng, others)]
    rest = [v.replace("_", " ") for v in rest]
    rest = [v for v in rest if v not in answers]
    return _shuffled(rng, [*answers, *rest[:2]])


def _counts(rng, low, high, low_rank, high_rank):
    """Returns four counts of which these two have these ranks; None if none are so."""
    counts = [low, high]
    for values, missing in (
        (range(max(low - 3, 0), low), low_rank),
        (range(low + 1, high), high_rank - low_rank - 1),
        (range(high + 1, min(high + 3, programs.MOST) + 1), 3 - high_rank),
    ):
        if len(values) < missing:
            return None
        counts += _shuffled(rng, values)[:missing]
    return counts


def _shuffled(rng, values):
    return tuple(values[i] for i in rng.permutation(len(values)))
