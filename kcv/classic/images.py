"""The images that region proposals are made of."""

import numpy as np


def checked(image) -> np.ndarray:
    """An image as an array.

    Args:
        image: uint8 (h, w, 3), 8 pixels wide and high or more.

    Returns:
        The array.

    Raises:
        ValueError: it is not.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f"an image of {image.dtype} {image.shape}, not of uint8 (height, width, 3)"
        )
    if min(image.shape[:2]) < 8:
        raise ValueError(
            f"an image of {image.shape[1]} x {image.shape[0]} pixels is too small for "
            "proposals, which take 8 x 8 or more"
        )
    return image
