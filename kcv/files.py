"""Files that appear whole or not at all."""

import contextlib
import os
import pathlib


@contextlib.contextmanager
def replacing(path: str | os.PathLike):
    """Gives a hidden path beside `path` to write to; in the end it becomes `path`.

    The folder is made where it is missing. After an exception, also that of a full
    disk, `path` is as it was and nothing else is left. The suffix stays the same.

    Raises:
        OSError: if the folder cannot be made or the file cannot be written.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield hidden
        with open(hidden, "rb") as file:
            os.fsync(file.fileno())  # or a power cut may leave an empty file
        os.replace(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)


def write_atomically(path: str | os.PathLike, content: str | bytes) -> None:
    """Writes bytes, or text as UTF-8, whole or not at all."""
    with replacing(path) as hidden:
        hidden.write_bytes(content.encode() if isinstance(content, str) else content)
