"""JPEG decoding that makes no more pixels than are needed."""

import tensorflow as tf


def decode(contents, stored_size, size=None):
    """Decodes a JPEG file to uint8 (h, w, 3).

    Args:
        contents: The file, a scalar string. A damaged end is filled with grey.
        stored_size: int (2,), its height and width.
        size: (height, width) that will be used, ints or an int tensor. The image then
            comes at 1, 1/2, 1/4 or 1/8 of its size, the smallest that is not below it:
            the decoder leaves out the high frequencies. None: exactly as stored.
    """
    if size is None:
        return _decode(contents, 1, "INTEGER_ACCURATE")
    ratio = tf.reduce_min(stored_size // tf.cast(size, stored_size.dtype))
    branches = [
        lambda ratio=ratio: _decode(contents, ratio, "INTEGER_FAST")
        for ratio in (1, 2, 4, 8)
    ]
    # 0, 1 -> 0; 2, 3 -> 1; 4..7 -> 2; 8.. -> 3
    index = tf.reduce_sum(tf.cast(ratio >= (2, 4, 8), tf.int32))
    return tf.switch_case(index, branches)


def _decode(contents, ratio, dct_method):
    return tf.io.decode_jpeg(
        contents,
        channels=3,
        ratio=ratio,
        dct_method=dct_method,
        try_recover_truncated=True,
        acceptable_fraction=0.0,
    )
