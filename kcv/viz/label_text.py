"""What of a record is text: labels, captions, questions, attributes, and the rest."""

from collections.abc import Mapping

import numpy as np

from kcv.viz import maps, style, text
from kcv.viz.text import Line
from kcv.viz.view import name_of

_ASKED = ("questions", "choices", "answers", "answer_class")
_FEW = 12  # numbers that are written out


def of_record(record, names, keys, width):
    """Returns pictures uint8 (h, width, 3) of some keys of a record.

    Args:
        record: {key: array}.
        names: See `view.name_of`.
        keys: Names of the keys.
        width: Pixels.
    """
    lines, parts = [], []
    if "labels" in keys:
        lines += _labels(record["labels"], names)
    if "captions" in keys:
        captions = texts(record["captions"])
        lines += [Line(f"{i + 1}. {each}") for i, each in enumerate(captions)]
        lines += [] if captions else [Line("no captions", color=style.MUTED)]
    if "questions" in keys or "answers" in keys or "answer_class" in keys:
        lines += _question(record, names)
        keys = keys - set(_ASKED)
    if "relations" in keys:
        lines += _relations(record, names)
    named = {"labels", "captions", "attributes", "relations"}
    rest = [key for key in record if key in keys - named]
    lines += [
        Line(_plain(key, record[key]), text.SMALL, color=style.MUTED) for key in rest
    ]
    if lines:
        parts.append(text.block(lines, width))
    if "attributes" in keys:
        values = record["attributes"].reshape(-1)
        line = Line(_attributes(values, names), text.SMALL)
        parts += [text.block([line], width), maps.draw_cells(values, width)]
    return parts


def texts(value):
    """Returns the texts of an array of bytes or str, in order."""
    return [
        each.decode(errors="replace") if isinstance(each, bytes) else str(each)
        for each in np.asarray(value, object).ravel().tolist()
    ]


def _labels(labels, names):
    found = [name_of(names, "labels", label) for label in labels.ravel().tolist()]
    return [Line(", ".join(found), text.LARGE, True)]


def _question(record, names):
    lines = [
        Line(each, text.NORMAL, True) for each in texts(record.get("questions", ()))
    ]
    answers = texts(record.get("answers", ()))
    for choice in filter(None, texts(record.get("choices", ()))):  # "" fills up
        mark = "\N{BLACK CIRCLE}" if choice in answers else "\N{WHITE CIRCLE}"
        color = style.GREEN if choice in answers else style.INK
        lines.append(Line(f"{mark} {choice}", color=color, indent=14))
    told = list(answers)
    for number in np.ravel(record.get("answer_class", ())).tolist():
        name = name_of(names, "answer_class", number)
        told.append(f"{name} ({number})" if name not in answers else f"({number})")
    if told:
        line = f"\N{RIGHTWARDS ARROW} {' '.join(told)}"
        lines.append(Line(line, bold=True, color=style.GREEN))
    return lines


def _relations(record, names):
    """What each thing is to the others: 1 is true, 0 is not, less is not known."""
    told = record["relations"]
    count = min(len(told), len(record.get("boxes", told)))
    told = told[:count, :count]
    known = names.get("relations", ()) if isinstance(names, Mapping) else ()
    known = [known[k] if k < len(known) else str(k) for k in range(told.shape[2])]
    lines = []
    for i, row in enumerate(told):
        others = np.arange(count) != i
        parts = []
        for value, mark in ((1, ""), (-1, "?")):
            for k, name in enumerate(known):
                found = np.flatnonzero((row[:, k] == value) & others) + 1
                if len(found):
                    parts.append(f"{name}{mark} {' '.join(map(str, found))}")
        lines.append(Line(f"{i + 1}: {', '.join(parts) or 'nothing'}", text.SMALL))
    return lines


def _attributes(values, names):
    known = names.get("attributes", ()) if isinstance(names, Mapping) else ()
    held = np.flatnonzero(values > 0.5).tolist()
    told = [str(known[i]) if i < len(known) else str(i) for i in held]
    return f"attributes, {len(held)} of {len(values)}: {', '.join(told) or 'none'}"


def _plain(key, value):
    """A key in one line: the values, or what they are where they are many."""
    if value.dtype.kind in "OSU":
        return f"{key}: {'; '.join(texts(value))}"
    if value.size <= _FEW:
        told = ", ".join(f"{number:.4g}" for number in value.ravel().tolist())
        return f"{key}: {told or 'none'}"
    shape = " x ".join(map(str, value.shape))
    least, largest = np.nanmin(value), np.nanmax(value)
    return f"{key}: {shape} {value.dtype}, {least:.4g} to {largest:.4g}"
