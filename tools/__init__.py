"""Command-line scripts: `python -m kcv.tools.NAME --help`."""

import os

# TensorFlow reads this when it is first imported; its start-up notes are no news.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
