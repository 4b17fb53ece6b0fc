"""COCO's run lengths of masks.

They count pixels of 0, 1, 0, ... down the columns. Compressed, each is the difference
to the one two before, in characters of 5 bits (cocoapi, common/maskApi.c). pycocotools
reads past the end of those that are damaged; here they are checked.
"""

import numpy as np

_DAMAGED = "compressed run lengths that are damaged"


def decompress(text):
    """Run lengths of compressed text.

    Args:
        text: str or bytes.

    Returns:
        int64 (n,).

    Raises:
        ValueError: it is no such text.
    """
    text = text.encode() if isinstance(text, str) else text
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    if not codes.size:
        return codes
    if codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise ValueError(_DAMAGED)
    ends = np.flatnonzero(codes & 32 == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 8:  # 40 bits
        raise ValueError(_DAMAGED)
    shifts = 5 * (np.arange(len(codes)) - np.repeat(starts, lengths))
    numbers = np.add.reduceat((codes & 31) << shifts, starts)
    negative = codes[ends] & 16 != 0
    numbers -= np.where(negative, np.left_shift(1, 5 * lengths), 0)
    # The first three stand for themselves, each other adds to the one two before.
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers
