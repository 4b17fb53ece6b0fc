"""Keeps what TensorFlow's libraries say of themselves at the start off the screen.

No setting stops these lines. They come from C++ and go to descriptor 2, so that is led
away while a script is imported, and Python's own stderr keeps the screen. Whoever wants
to see them sets the environment variable TF_CPP_MIN_LOG_LEVEL=0.
"""

import os
import sys

_screen = None  # a duplicate of descriptor 2 while that is led away


def hide():
    """Leads descriptor 2 away until `show`."""
    global _screen
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] < "2":
        return
    sys.stderr.flush()
    _screen = os.dup(2)
    sys.stderr = open(_screen, "w", buffering=1, closefd=False)  # noqa: SIM115
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    os.close(sink)


def show():
    """Gives descriptor 2 back, after TensorFlow has looked for devices if it is used.

    On a machine without a GPU that look says so once more.
    """
    global _screen
    if _screen is None:
        return
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].config.list_physical_devices()
    os.dup2(_screen, 2)
    _screen = None
