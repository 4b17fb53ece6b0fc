"""Large JSON files item by item, so that memory holds the text and one item at a time.

`json.load` takes five to eight times the size of a file of numbers; this takes the text
and what the caller keeps of it.
"""

import json
import re

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def read_text(path):
    """Returns the text of a file.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is empty or not UTF-8.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error}): export it again") from None
    except FileNotFoundError:
        raise FileNotFoundError(f"no annotation file {path}: check the path") from None
    if not text.strip():
        raise ValueError(f"{path}: empty file: copy or export it again")
    return text


def read_json(path):
    """Reads a small JSON file whole; errors as of `read_object`."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(_problem(path, text, error)) from None


def read_object(path, handlers):
    """Reads a JSON object and gives the items of some of its lists to functions.

    Args:
        path: The file.
        handlers: {key: function}, called with each item of the list at this key, in
            the order of the file.

    Returns:
        The object without those lists.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Bad or truncated JSON, no object, or no list at one of the keys.
    """
    text = read_text(path)
    try:
        return _object(path, text, handlers)
    except json.JSONDecodeError as error:
        raise ValueError(_problem(path, text, error)) from None


def _object(path, text, handlers):
    at = _skip(text, 0)
    if text[at] != "{":
        found = "list" if text[at] == "[" else "value"
        raise ValueError(
            f"{path}: a JSON {found} where an object with {', '.join(handlers)}"
            " belongs: is it a file of results?"
        )
    rest = {}
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        start = at
        key, at = _DECODER.raw_decode(text, at)
        if not isinstance(key, str):
            raise json.JSONDecodeError("expecting a name in quotes", text, start)
        at = _expect(text, _skip(text, at), ":")
        if key in handlers:
            if text[at : at + 1] not in ("[", ""):
                raise ValueError(f"{path}: {key!r} is no list: export it again")
            at = _items(text, at, handlers[key])
        else:
            rest[key], at = _DECODER.raw_decode(text, at)
        at = _next(text, at, "}")
    if _skip(text, at + 1) != len(text):
        raise json.JSONDecodeError("something after the end", text, at + 1)
    return rest


def _items(text, at, handle):
    at = _expect(text, at, "[")
    while text[at : at + 1] != "]":
        item, at = _DECODER.raw_decode(text, at)
        handle(item)
        at = _next(text, at, "]")
    return at + 1


def _next(text, at, end):
    """Returns where the next item begins, or where `end` stands."""
    at = _skip(text, at)
    if text[at : at + 1] == end:
        return at
    at = _expect(text, at, ",")
    if text[at : at + 1] == end:
        raise json.JSONDecodeError("a comma too many", text, at)
    return at


def _skip(text, at):
    return _SPACE.match(text, at).end()


def _expect(text, at, sign):
    if text[at : at + 1] != sign:
        raise json.JSONDecodeError(f"expecting {sign!r}", text, at)
    return _skip(text, at + 1)


def _problem(path, text, error):
    # Strings are reported where they begin, so a cut may be seen a little early.
    if error.pos >= len(text.rstrip()) or "Unterminated" in error.msg:
        return (
            f"{path}: truncated: the JSON ends in line {error.lineno} before it is"
            " complete: copy or export it again"
        )
    return (
        f"{path}: bad JSON in line {error.lineno}, column {error.colno} ({error.msg}):"
        " repair it or export it again"
    )
