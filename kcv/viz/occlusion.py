"""Occlusion maps: what becomes of the answer when a part of the picture is covered.

Paper: M. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks",
2014, section 4.2, https://arxiv.org/abs/1311.2901
"""

import numpy as np


def occlusion_map(predict, image, label, size, stride=1, value=None, batch_size=64):
    """Covers a picture by a square, place by place, and asks for the same class.

    Args:
        predict: function from float32 images (n, height, width, channels) to (n,
            classes), such as `model.predict_on_batch`.
        image: float (height, width, channels), in the model's range.
        label: number of the class.
        size: side of the square, in pixels.
        stride: pixels from one place to the next.
        value: what the square shows, a number or one a channel; None for the mean of
            the picture, a grey.
        batch_size: covered pictures asked about at once.

    Returns:
        float32 (rows, columns), the answer for the class with the square around each
        place: pixels 0, stride, 2 * stride, ... are the middles (an even square
        reaches one further up and left), and it is cut off at the border. Low values
        are the places that matter.

    Raises:
        ValueError: if the square, the stride or the class is none.
    """
    image = np.asarray(image, "float32")
    if size < 1 or stride < 1:
        raise ValueError(f"size and stride must be positive, got {size} and {stride}")
    height, width, _ = image.shape
    value = image.mean(axis=(0, 1)) if value is None else value
    middles = [
        (y, x) for y in range(0, height, stride) for x in range(0, width, stride)
    ]
    answers = []
    for start in range(0, len(middles), batch_size):
        part = middles[start : start + batch_size]
        covered = np.repeat(image[None], len(part), axis=0)
        for picture, (y, x) in zip(covered, part):
            top, left = max(y - size // 2, 0), max(x - size // 2, 0)
            picture[top : y - size // 2 + size, left : x - size // 2 + size] = value
        scores = np.asarray(predict(covered))
        if not 0 <= label < scores.shape[-1]:
            raise ValueError(f"no class {label}: the model has {scores.shape[-1]}")
        answers.extend(scores[:, label])
    return np.asarray(answers, "float32").reshape(-(-height // stride), -1)


def occlusion_heat(answers):
    """Returns (rows, columns) in [0, 1]: 1 where covering hurt the answer most."""
    answers = np.asarray(answers, "float32")
    span = answers.max() - answers.min()
    return (answers.max() - answers) / span if span > 0 else np.zeros_like(answers)
