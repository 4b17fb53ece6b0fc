"""Which rows of a global batch belong to which replica."""

from typing import NamedTuple

import numpy as np


def num_steps(num_examples, batch_size):
    """Returns the number of batches; see `kcv.data.pipeline` for what is left over."""
    full, left = divmod(num_examples, batch_size)
    return max(full + (left > 0 and 4 * left >= batch_size), 1)


class Share(NamedTuple):
    """Rows of a global batch that one worker reads, and where its replicas cut them."""

    start: int
    stop: int
    cuts: tuple[int, ...]  # count + 1 offsets from start


def share_of(size, replicas, group=1):
    """Returns the `Share` of a global batch of `size` rows.

    Where `group` neighbouring rows are mixed, it reads whole groups: rows of its
    neighbours, too, at either end.
    """
    first, count, total = replicas
    part, rest = divmod(size, total)
    # np.array_split: the first `rest` parts have one row more.
    edges = [at * part + min(at, rest) for at in range(first, first + count + 1)]
    start, stop = edges[0], edges[-1]
    if stop > start:
        start, stop = start - start % group, min(stop + -stop % group, size)
    return Share(start, stop, tuple(edge - start for edge in edges))


def positions(start_step, steps, batch_size, share, last):
    """Returns all positions that this worker reads, in order, int64."""
    first_rows = np.arange(start_step, steps - 1)[:, None] * batch_size
    rows = first_rows + np.arange(share.start, share.stop)
    last_rows = (steps - 1) * batch_size + np.arange(last.start, last.stop)
    return np.concatenate([rows.ravel(), last_rows]).astype(np.int64)
