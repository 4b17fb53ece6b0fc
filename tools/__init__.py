"""Command-line scripts: `python -m kcv.tools.NAME --help`."""

import os
import sys

# TensorFlow reads this when it is first imported; its start-up notes are no news.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

if sys.argv[:1] == ["-m"]:  # a script is about to be imported, and TensorFlow with it
    from kcv.tools import start_notes

    start_notes.hide()
