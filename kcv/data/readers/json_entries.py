"""Large JSON objects entry by entry, as `json_lists` reads lists item by item."""

import json

from kcv.data.readers import json_lists

_DECODER = json.JSONDecoder()
_SPACE = " \t\n\r"


def read_entries(path, handle):
    """Gives the entries of a JSON object to a function, in the order of the file.

    Args:
        path: The file, {"key": value, ...}.
        handle: Called with each key and value.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Bad or truncated JSON, or no object.
    """
    text = json_lists.read_text(path)
    at = _skip(text, 0)
    if text[at] != "{":
        raise ValueError(
            f"{path}: no JSON object of named entries: take the file as released"
        )
    try:
        at = _skip(text, at + 1)
        while text[at : at + 1] != "}":
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _expect(text, _skip(text, at), ":"))
            value, at = _DECODER.raw_decode(text, at)
            handle(key, value)
            at = _skip(text, at)
            if text[at : at + 1] != "}":
                at = _skip(text, _expect(text, at, ","))
    except json.JSONDecodeError as error:
        is_cut = error.pos >= len(text.rstrip()) or "Unterminated" in error.msg
        problem = "truncated" if is_cut else f"bad JSON ({error.msg})"
        raise ValueError(
            f"{path}: {problem} in line {error.lineno}, column {error.colno}: copy or"
            " export it again"
        ) from None


def _skip(text, at):
    while text[at : at + 1] and text[at] in _SPACE:
        at += 1
    return at


def _expect(text, at, sign):
    if text[at : at + 1] != sign:
        raise json.JSONDecodeError(f"expecting {sign!r}", text, at)
    return at + 1
