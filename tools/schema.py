"""A small language for the shape of a JSON file; `check` names what is wrong in one.

A kind is a Number, a Text, BOOL, a list of one kind, a dict of kinds by key ({} is any
object), a Table (an object with free keys), Maybe(kind), which may be null, or, for a
key of a dict that may be missing, MayLack(kind).
"""

import datetime
import math
import re
from typing import NamedTuple


class Number(NamedTuple):
    """A JSON number that is finite, not below `low` and, if asked for, whole."""

    low: float = -math.inf
    whole: bool = False


class Text(NamedTuple):
    """A string that matches all of a pattern."""

    pattern: str = r"(?s).*\S.*"
    meaning: str = "a text that is not empty"


class Maybe(NamedTuple):
    """A value that may be null."""

    kind: object


class MayLack(NamedTuple):
    """A key that may be missing."""

    kind: object


class Table(NamedTuple):
    """An object with any keys that match a pattern, and values of one kind."""

    kind: object
    pattern: str = r".+"
    meaning: str = "a name"


BOOL = "true or false"
DATE = Text(r"\d{4}-\d{2}-\d{2}", "a date as 2026-11-21")


def check(value, kind, where: str = "") -> list[str]:
    """Compares a value with its kind.

    Args:
        value: what json.load returns.
        kind: see the top of this file.
        where: path of the value inside the file, as "metric.int8".

    Returns:
        The paths of all nulls.

    Raises:
        ValueError: naming the first path that is missing, unknown or wrong.
    """
    if isinstance(kind, Maybe):
        return [where] if value is None else check(value, kind.kind, where)
    if isinstance(kind, dict | Table):
        _expect(isinstance(value, dict), where, value, "an object")
        prefix = f"{where}." if where else ""
        kinds = _kinds(value, kind, prefix)
        return [null for k in kinds for null in check(value[k], kinds[k], prefix + k)]
    if isinstance(kind, list):
        _expect(isinstance(value, list) and value, where, value, "a list, not empty")
        items = enumerate(value)
        return [null for i, v in items for null in check(v, kind[0], f"{where}[{i}]")]
    if isinstance(kind, Number):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        _expect(is_number and math.isfinite(value), where, value, "a finite number")
        _expect(not kind.whole or isinstance(value, int), where, value, "whole")
        _expect(value >= kind.low, where, value, f"at least {kind.low:g}")
    elif isinstance(kind, Text):
        _expect(isinstance(value, str), where, value, "a text")
        _expect(re.fullmatch(kind.pattern, value), where, value, kind.meaning)
        _expect(kind is not DATE or _is_day(value), where, value, "a day that exists")
    else:
        _expect(isinstance(value, bool), where, value, BOOL)
    return []


def _kinds(value, kind, prefix):
    """The kind of each key that the object has; unknown and missing ones are errors."""
    if isinstance(kind, Table):
        for key in value:
            _expect(re.fullmatch(kind.pattern, key), prefix + key, key, kind.meaning)
        return dict.fromkeys(value, kind.kind)
    if not kind:
        return {}
    for key in value:
        if key not in kind:
            raise ValueError(f"{prefix}{key} is unknown; known: {', '.join(kind)}")
    for key, of_key in kind.items():
        if key not in value and not isinstance(of_key, MayLack):
            raise ValueError(f"{prefix}{key} is missing")
    bare = {k: v.kind if isinstance(v, MayLack) else v for k, v in kind.items()}
    return {key: bare[key] for key in kind if key in value}


def _expect(holds, where, value, meaning):
    if not holds:
        raise ValueError(f"{where or 'the file'} is {value!r}; it must be {meaning}")


def _is_day(text):
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True
