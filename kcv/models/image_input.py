"""The input of every image classifier, checked before a layer is built."""

import keras


def image_input(input_shape, minimum=1):
    """Returns the `keras.Input` named "images".

    Args:
        input_shape: (height, width, channels), three positive integers, in pixels.
        minimum: smallest height and width that the architecture can take, in pixels.

    Returns:
        A symbolic tensor, float32 (batch, height, width, channels).

    Raises:
        ValueError: if the shape is not of this form or is below the minimum.
    """
    shape = tuple(input_shape)
    if len(shape) != 3 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise ValueError(
            "input_shape must be (height, width, channels), three positive integers, "
            f"got {input_shape}"
        )
    if min(shape[:2]) < minimum:
        raise ValueError(
            f"input_shape {shape} is too small: height and width must be at least "
            f"{minimum} pixels"
        )
    return keras.Input(shape, name="images")
