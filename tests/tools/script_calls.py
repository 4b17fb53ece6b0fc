"""Scripts as people call them, with one start for many calls."""

import json
import os

import programs

SEVERAL = """
import contextlib, importlib, io, json, sys
from absl import flags
tool, calls, eager = json.loads(sys.argv[1])
if eager:
    import tensorflow as tf
    tf.config.run_functions_eagerly(True)
tool = importlib.import_module(f"kcv.tools.{tool}")
from kcv.tools import script
answers = []
for arguments in calls:
    for name in flags.FLAGS:
        flags.FLAGS[name].unparse()
    sys.argv = ["tool", *arguments]
    out, error, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            script.run(tool.main)
        except SystemExit as exit:
            code = exit.code or 0
    answers.append((code, out.getvalue(), error.getvalue()))
print("ANSWERS", json.dumps(answers))
"""


def several(tool, calls, cache=None, eager=False):
    """Calls a script many times in one process, for its start takes seconds.

    Args:
        tool: Its name in kcv.tools.
        calls: {what: arguments}.
        cache: Folder for what is kept of images; None for that of the user.
        eager: Without graphs, which take longer to make than a few steps of training.

    Returns:
        {what: (exit code, stdout, stderr)}.
    """
    done = programs.run(
        *("-c", SEVERAL, json.dumps([tool, list(calls.values()), eager])),
        env={**os.environ} | ({"XDG_CACHE_HOME": str(cache)} if cache else {}),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(calls, json.loads(done.stdout.split("ANSWERS ")[1])))
