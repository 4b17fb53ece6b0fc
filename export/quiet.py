"""Silences libraries that write past Python."""

import contextlib
import os
import sys


@contextlib.contextmanager
def quiet():
    """Drops what is written to descriptor 2, as by the converter's C++ code."""
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "wb") as sink:
        os.dup2(sink.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
