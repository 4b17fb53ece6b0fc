"""Command-line scripts: `python -m kcv.tools.NAME --help`."""

import os
import sys

# TensorFlow reads this when it is first imported; its start-up notes are no news, and
# what it calls an error, but goes on, neither: real ones are raised.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# By itself it takes oneDNN's convolutions only where a processor has AVX-512 VNNI. With
# AVX2 alone a training step of YOLOv2 takes 0.6 of the time with them, too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

if sys.argv[:1] == ["-m"]:  # a script is about to be imported, and TensorFlow with it
    from kcv.tools import start_notes

    start_notes.hide()
