"""Writes a file whole or not at all."""

import os
import pathlib

from kcv import files
from kcv.export.errors import ExportError


def write_atomically(path: pathlib.Path, content: bytes) -> None:
    """Writes a file so that no reader, and no crash, ever sees half of it.

    Raises:
        ExportError: the folder is not writable or the disk is full.
    """
    try:
        files.write_atomically(path, content)
    except OSError as error:
        raise _cannot_write(path, error.strerror) from error


def check_writable(path: pathlib.Path) -> None:
    """Tells now, not after minutes of work, that the file can't be written."""
    folder = path.parent.absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise _cannot_write(path, f"{folder} is not a folder")
    if not os.access(folder, os.W_OK):
        raise _cannot_write(path, f"{folder} is not writable")
    if path.is_dir():
        raise _cannot_write(path, "it is a folder")


def _cannot_write(path, reason):
    return ExportError(f"cannot write {path}: {reason}; choose another path")
