"""How every script starts and ends: one line for an error, and exit codes that mean it.

0 done, 1 failed (the line says what and the remedy), 2 wrong usage, 130 interrupted,
141 nobody reads the output any more.
"""

import os
import sys

from absl import app, flags

from kcv.tools import start_notes

UsageError = app.UsageError

_TRACEBACK = flags.DEFINE_bool(
    "traceback", False, "Show the Python traceback of a failure, not only its line."
)


def run(main):
    """Parses the flags, calls main(argv) and exits with the codes above."""
    app.run(lambda argv: _call(main, argv), flags_parser=_parse)


def _parse(argv):
    try:
        rest = flags.FLAGS(argv)
    except flags.Error as error:
        _fail(error, 2)
    except SystemExit:  # absl answers --help with exit code 1
        sys.exit(0)
    if flags.FLAGS["verbosity"].using_default_value:
        flags.FLAGS.verbosity = -1  # absl would take 0, at which libraries tell a lot
    return rest


def _call(main, argv):
    start_notes.show()
    try:
        main(argv)
        sys.stdout.flush()
    except BrokenPipeError:  # what reads the output has read enough, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)  # as the shell tells of it
    except UsageError as error:
        _fail(error, 2)
    except KeyboardInterrupt as error:
        _fail(str(error) or "interrupted", 130)
    except (ValueError, OSError) as error:
        if _TRACEBACK.value:
            raise
        _fail(error, 1)


def _fail(error, code):
    sys.stdout.flush()
    line = " ".join(str(error).split())  # one line, whatever raised it
    print(f"error: {line}", file=sys.stderr)
    sys.exit(code)
