"""Batches of two kinds of pictures: with boxes, and with one word for all of it.

The classes of both become words of one tree, by their numbers. A word may be less than
a class: where "7" is only called "digit", a network is not told more.
"""

import tensorflow as tf

TRUTH = ("images", "boxes", "classes", "crowd")


def as_words(batches, numbers):
    """Puts the numbers of words in place of those of classes.

    Args:
        batches: of `kcv.data.objects.batches`, or with "labels".
        numbers: int (classes,), the word of each class; see `WordTree.numbers`.

    Returns:
        `tf.data.Dataset`, as `batches`; where there is no class, -1, it stays.
    """
    table = tf.constant([-1, *numbers], tf.int32)

    def renamed(batch):
        keys = [key for key in ("classes", "labels") if key in batch]
        return batch | {key: tf.gather(table, batch[key] + 1) for key in keys}

    return batches.map(renamed)


def beside(boxed, labelled=None):
    """Puts a batch with boxes and one of labelled pictures into one, for every step.

    Args:
        boxed: `tf.data.Dataset` with TRUTH.
        labelled: `tf.data.Dataset` of {"images", "labels", ...}, at least as long;
            None for pictures with boxes alone.

    Returns:
        `tf.data.Dataset` of TRUTH and "labels", int32 (b,), -1 for the pictures with
        boxes, which come first. The others' slots are empty.
    """
    boxed = boxed.map(lambda batch: {key: batch[key] for key in TRUTH})
    boxed = boxed.map(lambda batch: batch | {"labels": -tf.ones_like(_first(batch))})
    if labelled is None:
        return boxed

    def join(first, second):
        labels = second["labels"]
        empty = {
            key: tf.zeros((tf.size(labels), *first[key].shape[1:]), first[key].dtype)
            for key in TRUTH[1:]
        }
        second = empty | {"images": second["images"], "labels": labels}
        second["classes"] -= 1
        return {key: tf.concat([first[key], second[key]], 0) for key in first}

    return tf.data.Dataset.zip(boxed, labelled).map(join)


def from_step(batches, steps, first, count):
    """Batches from any step on, epoch after epoch.

    Args:
        batches: function (epoch, start_step) -> `tf.data.Dataset`.
        steps: of an epoch.
        first: the step, counted from the beginning of the first epoch.
        count: how many steps are needed; there may be more.

    Returns:
        `tf.data.Dataset`.
    """
    epoch, start = divmod(first, steps)
    data, ready = batches(epoch, start), steps - start
    while ready < count:
        epoch += 1
        data, ready = data.concatenate(batches(epoch, 0)), ready + steps
    return data


def _first(batch):
    """int32 (b,): a number for each picture."""
    return tf.cast(batch["classes"][:, 0], tf.int32)
