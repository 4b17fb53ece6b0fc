"""--options: arguments of a data set's reader, as text."""

import ast

from absl import flags

from kcv.tools import script

OPTIONS = flags.DEFINE_multi_string(
    "options", [], "NAME=VALUE, an argument of the reader; may be repeated."
)


def parse(options) -> dict:
    """Returns {name: value} of texts NAME=VALUE; a value may be a number or a tuple.

    Raises:
        script.UsageError: a text is not of this form.
    """
    parsed = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name.isidentifier():
            raise script.UsageError(f"--options={option}: write NAME=VALUE")
        try:
            parsed[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):  # a text without quotes
            parsed[name] = value
    return parsed
