"""A classification set cut by identity: whom a network is tested on it has never seen.

Verification is judged on people, or things, that training did not know. So the classes
of a set, not its images, go to training, validation and test; all images of a class, of
whichever split of the set, go with it.
"""

import hashlib

import numpy as np
import tensorflow as tf

from kcv.data import sources

LEAST = 2  # identities of a split: there must be pairs of two


def open_splits(name, seed=0, unseen=0.3, **options):
    """Opens a set, cut by identity.

    Args:
        name: As for `kcv.data.source`: a set of images and labels, such as a folder
            with one folder a person, 'digits' or 'scenes/attributes'.
        seed: Decides who goes where.
        unseen: Share of the identities that are kept for the test; half as many are for
            validation, at least two each.
        **options: As for `kcv.data.source`.

    Returns:
        {"train": `Source`, "validation": `Source`, "test": `Source`}; labels count from
        0 within each and have its `class_names`.

    Raises:
        ValueError: The set has no labels or no random access, or too few identities.
    """
    parts = [
        sources.source(name, split, seed=seed, **options) for split in sources.SPLITS
    ]
    for part in parts:
        if part.records is None or "labels" not in (part.keys or {"labels": None}):
            raise ValueError(
                f"{name} cannot be cut by identity: that needs images and labels with "
                "random access, such as a folder with one folder a person"
            )
    class_names = parts[0].class_names
    shares = _who_goes_where(name, len(class_names), seed, unseen)
    labels = [sources.labels(part) for part in parts]
    return {
        split: _of(parts, labels, np.sort(identities), class_names)
        for split, identities in shares.items()
    }


def _who_goes_where(name, count, seed, unseen):
    """Returns {split: identities}."""
    test = max(LEAST, round(unseen * count))
    validation = max(LEAST, round(unseen * count / 2))
    if count - test - validation < LEAST:
        raise ValueError(
            f"{name} has {count} identities: {test} for the test and {validation} for "
            f"validation leave {count - test - validation} for training; give more, or "
            "a smaller share unseen"
        )
    order = np.random.default_rng([seed, 0x1D]).permutation(count)
    ends = test, test + validation
    return {
        "train": order[ends[1] :],
        "validation": order[ends[0] : ends[1]],
        "test": order[: ends[0]],
    }


def _of(parts, labels, identities, class_names):
    """The `Source` of all images of some identities."""
    new_labels = np.full(len(class_names), -1)
    new_labels[identities] = np.arange(len(identities))
    rows = [np.flatnonzero(np.isin(each, identities)) for each in labels]
    records = {
        "part": np.repeat(np.arange(len(parts)), [len(each) for each in rows]),
        "row": np.concatenate(rows),
        "labels": np.concatenate(
            [new_labels[each[row]] for each, row in zip(labels, rows)]
        ).astype(np.int32),
    }

    def decode(record, size=None):
        branches = [_reader(part, record["row"], size) for part in parts]
        image = tf.switch_case(tf.cast(record["part"], tf.int32), branches)
        return {"images": image, "labels": record["labels"]}

    digest = hashlib.sha256(repr([part.fingerprint for part in parts]).encode())
    digest.update(records["part"].tobytes() + records["row"].tobytes())
    names = [class_names[identity] for identity in identities]
    return sources.source_in_memory(
        parts[0].name, records, decode, names, digest.hexdigest()
    )


def _reader(part, row, size):
    def read():
        image = part.decode(sources.record_at(part.records, row), size)["images"]
        image.set_shape((None, None, image.shape[-1]))  # of parts, sizes may differ
        return image

    return read
