"""Calls scripts one after the other in one process: importing TensorFlow takes seconds.

  python in_turn.py '[["train_localiser", "--epochs=2", ...], ["measure", ...]]'

The last line of stdout is a list with the error of each, "" where there was none. The
flags that one call gives hold for the next ones, too.
"""

import importlib
import json
import sys

from absl import flags


def main(calls):
    """Runs the calls; a script's errors are those of a user, see `script.run`."""
    errors, given = [], []
    for name, *arguments in calls:
        module = importlib.import_module(f"kcv.tools.{name}")
        given += arguments
        flags.FLAGS.unparse_flags()
        try:
            module.main(flags.FLAGS([name, *given]))
            errors.append("")
        except (ValueError, OSError, flags.Error) as error:
            errors.append(str(error))
    print(json.dumps(errors))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
