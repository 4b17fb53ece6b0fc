"""What a reader gives: records by number, and what becomes of malformed ones.

A malformed record is counted, named and left out; when more than a stated share is
malformed, the run stops: then it is the data set that is wrong, not one file.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from absl import logging

SHOWN = 10  # malformed records that a warning names


class BadRecord(ValueError):  # noqa: N818 - a record, not an error of the program
    """One record cannot be used; the message names it, says why and the remedy."""


class Records(NamedTuple):
    """One split of a data set, with random access.

    Parameters:
        name: What the user opened, for messages.
        count: Number of records.
        read: `read(index)` gives record `index`, {key: array}; thread-safe.
            Raises `BadRecord` for what turns out malformed only when read.
        keys: {key: (shape, dtype)}, None for a dimension that varies.
        class_names: Class i is `class_names[i]`.
        fingerprint: SHA-256 (hex) of the listing and the annotations.
        bad: One line for each record that is already known malformed and left out.
        max_bad_share: Largest share of malformed records that is only warned of.
    """

    name: str
    count: int
    read: Callable[[int], dict]
    keys: dict[str, tuple]
    class_names: tuple[str, ...]
    fingerprint: str
    bad: tuple[str, ...] = ()
    max_bad_share: float = 0.01


def check_bad(name, bad, total, max_bad_share, what="records"):
    """Warns once of malformed records, or stops.

    Args:
        name: The data set.
        bad: One line for each malformed record.
        total: Number of records, malformed ones included.
        max_bad_share: Largest share of malformed records.
        what: What is counted.

    Raises:
        ValueError: There are no records, or a larger share of them is malformed.
    """
    if bad and len(bad) > max_bad_share * total:
        raise ValueError(
            f"{name}: {len(bad)} of {total} {what} ({len(bad) / total:.1%}) are"
            f" malformed, more than max_bad_share={max_bad_share:.1%}: {_few(bad, 3)};"
            " repair them, or allow more by max_bad_share"
        )
    if len(bad) >= total:
        raise ValueError(f"{name}: no {what}: check the path and the split")
    if bad:
        text = "%s: skipped %d of %d %s: %s"
        logging.warning(text, name, len(bad), total, what, _few(bad, SHOWN))


def _few(lines, number):
    more = [f"and {len(lines) - number} more"] if len(lines) > number else []
    return "; ".join([*lines[:number], *more])


def skipping(records):
    """Wraps `records.read` for a pipeline: a malformed record is None.

    Each is counted once, however many epochs come across it, together with those known
    from opening; the first ten are warned of.

    Args:
        records: `Records`.

    Returns:
        `read(index) -> dict or None`, thread-safe; it raises ValueError when the share
        of malformed records exceeds `records.max_bad_share`.
    """
    found = {}
    lock = threading.Lock()
    total = records.count + len(records.bad)

    def read(index):
        try:
            return records.read(index)
        except (BadRecord, FileNotFoundError) as error:  # a file may go meanwhile
            line = str(error)
        with lock:
            is_new = index not in found
            found[index] = line
            bad = [*records.bad, *found.values()]
        if len(bad) > records.max_bad_share * total:
            raise ValueError(
                f"{records.name}: {len(bad)} of {total} records are malformed, more"
                f" than max_bad_share={records.max_bad_share:.1%}; this one: {line};"
                " repair them, or allow more by max_bad_share"
            )
        if is_new and len(found) <= SHOWN:
            logging.warning("%s: skipped a malformed record: %s", records.name, line)
        return None

    return read


def fingerprint(paths: Sequence, *texts: str) -> str:
    """Returns the SHA-256 (hex) of names, sizes and times of files, and of texts."""
    digest = hashlib.sha256(repr(texts).encode(errors="surrogateescape"))
    for path in paths:
        status = os.stat(path)
        line = f"{os.path.basename(path)}\0{status.st_size}\0{status.st_mtime_ns}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()
