"""Files that appear whole or not at all."""

import os
import pathlib


def write_atomically(path, content):
    """Writes bytes or text to a path by way of a hidden file beside it.

    Args:
        path: the file; its folder is created.
        content: bytes, or text that is written as UTF-8.

    Raises:
        OSError: nothing was left behind.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
