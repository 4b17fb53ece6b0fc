"""How right an answer is when ten people answered: VQA's accuracy, its official rules.

Paper: Antol et al., VQA: Visual Question Answering, 2015,
https://arxiv.org/abs/1505.00468; rules: https://visualqa.org/evaluation.html.
"""

import collections
import re

import numpy as np

_NUMBERS = {
    **{"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4"},
    **{"five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10"},
}
_ARTICLES = ("a", "an", "the")
_MARKS = ';/[]"{}()=+\\_-><@`,?!'
# People leave an apostrophe out; these words are the official list.
_WORDS = """ain't aren't can't could've couldn't couldn't've didn't doesn't
don't hadn't hadn't've hasn't haven't he'd he'd've he's how'd how'll how's isn't
it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't
not've o'clock oughtn't shan't she'd've should've shouldn't shouldn't've
somebody'd've somebody'll somebody's someone'd someone'd've someone'll someone's
something'd something'd've something'll that's there'd there'd've there're
there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've
weren't what'll what're what's what've when's where'd where's where've who'd
who'd've who'll who's who've why'll why're why's won't would've wouldn't
wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've"""
_CONTRACTIONS = {
    word[:at] + word[at + 1 :]: word
    for word in _WORDS.split()
    for at, sign in enumerate(word)
    if sign == "'"
} | {"somebody'd": "somebodyd"}


def normalise(answer):
    """Returns an answer as the official evaluation compares it.

    Punctuation goes (a mark inside a word becomes a space), numbers are digits,
    articles go, apostrophes come back: "Two dogs!" is "2 dogs".
    """
    answer = answer.replace("\n", " ").replace("\t", " ").strip()
    has_comma_number = re.search(r"\d,\d", answer) is not None
    text = answer
    for mark in _MARKS:
        at_edge = f"{mark} " in answer or f" {mark}" in answer
        text = text.replace(mark, "" if at_edge or has_comma_number else " ")
    text = re.sub(r"\.(?!\d)", "", text)
    words = [_NUMBERS.get(word, word) for word in text.lower().split()]
    words = [word for word in words if word not in _ARTICLES]
    return " ".join(_CONTRACTIONS.get(word, word) for word in words)


def soft_score(answer, all_answers):
    """Returns the accuracy of one answer, 0..1.

    Three people who say the same make it right: min(n / 3, 1), averaged over leaving
    each person out.

    Args:
        answer: str, `normalise`d.
        all_answers: The people's answers, usually ten.
    """
    count = sum(other == answer for other in all_answers)
    return _average(count, len(all_answers))


def soft_scores(all_answers, vocabulary):
    """Returns float32 (number of classes,): the accuracy that each class would get."""
    counts = collections.Counter(all_answers)
    total = len(all_answers)
    return np.array(
        [
            _average(counts[answer], total) if answer in counts else 0.0
            for answer in vocabulary
        ],
        np.float32,
    )


def _average(count, total):
    """Averages min(n / 3, 1) over leaving out one who said it and one who did not."""
    said = count * min((count - 1) / 3, 1)
    others = (total - count) * min(count / 3, 1)
    return (said + others) / total
