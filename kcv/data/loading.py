"""The front door: a data set by name, as batches."""

from kcv.data.pipeline import batches
from kcv.data.sources import source
from kcv.data.structured import structured_batches


def load(
    name,
    split,
    batch_size,
    image_shape,
    pixel_range,
    *,
    as_supervised=True,
    options=None,
    **batch_options,
):
    """Opens a data set and makes its batches, for `model.fit` by hand.

    Args:
        name: As for `kcv.data.source`.
        split: "train", "validation" or "test".
        batch_size: Images in a batch.
        image_shape: (height, width, channels).
        pixel_range: (low, high), see `kcv.zoo`.
        as_supervised: True gives (images, labels), False the dicts of `batches`. Sets
            that say more than a label always give dicts, see `structured_batches`.
        options: Keyword arguments of `kcv.data.source`, or None.
        **batch_options: Keyword arguments of `batches`, or of `structured_batches`.

    Returns:
        `tf.data.Dataset`.
    """
    opened = source(name, split, **(options or {}))
    if opened.keys:
        return structured_batches(
            opened, batch_size, image_shape, pixel_range, **batch_options
        )
    data = batches(opened, batch_size, image_shape, pixel_range, **batch_options)
    if not as_supervised:
        return data
    return data.map(lambda batch: (batch["images"], batch["labels"]))
