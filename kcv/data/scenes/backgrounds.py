"""Pictures behind everything: photographs and textures that other packages ship.

scikit-image and scikit-learn carry them inside their wheels; none is downloaded. Each
belongs to one split. Pictures of people, of writing and of coins are left out, since
they would show things that no label tells of.
"""

import functools
import io
import math
from importlib import resources

import numpy as np
from PIL import Image

_SKIMAGE, _SKLEARN = "skimage.data", "sklearn.datasets.images"
_PICTURES = {  # kind: split: (package, file)
    "photograph": {
        "train": (
            (_SKIMAGE, "coffee.png"),
            (_SKLEARN, "china.jpg"),
            (_SKIMAGE, "motorcycle_left.png"),
            (_SKIMAGE, "ihc.png"),
        ),
        "validation": ((_SKIMAGE, "rocket.jpg"), (_SKIMAGE, "hubble_deep_field.jpg")),
        "test": ((_SKIMAGE, "chelsea.png"), (_SKLEARN, "flower.jpg")),
    },
    "texture": {
        "train": ((_SKIMAGE, "brick.png"), (_SKIMAGE, "grass.png")),
        "validation": ((_SKIMAGE, "moon.png"),),
        "test": ((_SKIMAGE, "gravel.png"),),
    },
}
_FILES = {
    kind: tuple(file for split in splits.values() for file in split)
    for kind, splits in _PICTURES.items()
}
_LARGEST = 512  # longer side that is kept, pixels

LEVELS = np.arange(256) / 255
LINEAR = np.where(  # of an sRGB level; IEC 61966-2-1
    LEVELS <= 0.04045, LEVELS / 12.92, ((LEVELS + 0.055) / 1.055) ** 2.4
).astype(np.float32)


def of_split(kind, split):
    """Returns the indices of the pictures of a kind that belong to a split."""
    if kind == "gradient":
        return (0,)
    return tuple(_FILES[kind].index(file) for file in _PICTURES[kind][split])


def size(kind, index):
    """Returns (height, width) of a picture, pixels."""
    return _levels(kind, index)[0].shape[:2]


def draw(background, height, width):
    """Draws a background.

    Args:
        background: `scene.Background`.
        height: Of the image, pixels.
        width: Likewise.

    Returns:
        float32 (3, height, width), its reflectance, linear.
    """
    if background.kind == "gradient":
        return _gradient(background, height, width)
    picture = _resample(background, height, width)
    if picture.ndim == 2:  # grey: tinted
        return LINEAR.take(picture) * np.float32(background.colours[0])[:, None, None]
    return LINEAR.take(picture.transpose(2, 0, 1))


def _gradient(background, height, width):
    by_x, by_y, start = background.matrix[0].tolist()
    first, second = np.float32(background.colours)[..., None, None]
    x = np.arange(width, dtype=np.float32) + np.float32(0.5)
    y = np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5)
    share = np.minimum(np.maximum(by_x * x + (by_y * y + start), 0), 1)
    return first + share * (second - first)


def _resample(background, height, width):
    """The picture under the image, uint8 (height, width) or (height, width, 3)."""
    (a, b, x), (c, d, y) = background.matrix.tolist()
    halves = _levels(background.kind, background.index)
    level = int(math.log2(max(math.sqrt(abs(a * d - b * c)), 1)))
    level = min(level, len(halves) - 1)
    picture = halves[level]
    a, b, x, c, d, y = (part / 2**level for part in (a, b, x, c, d, y))
    left, right = _range(a * width, b * height, x)
    top, bottom = _range(c * width, d * height, y)
    if min(left, top) < 0 or bottom > picture.shape[0] or right > picture.shape[1]:
        rows = _mirrored(np.arange(top, bottom), picture.shape[0])
        columns = _mirrored(np.arange(left, right), picture.shape[1])
        tile = picture[rows][:, columns]
    else:
        tile = np.ascontiguousarray(picture[top:bottom, left:right])
    drawn = Image.fromarray(tile).transform(
        (width, height),
        Image.Transform.AFFINE,
        (a, b, x - left, c, d, y - top),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(drawn)


def _range(by_x, by_y, start):
    """Whole numbers around what the image's corners map to."""
    ends = (start, start + by_x, start + by_y, start + by_x + by_y)
    return math.floor(min(ends)) - 1, math.ceil(max(ends)) + 1


def _mirrored(index, size):
    index = index % (2 * size)
    return np.where(index < size, index, 2 * size - 1 - index)


@functools.cache
def _levels(kind, index):
    """The picture and its halves, uint8, down to a side of 16 pixels."""
    package, file = _FILES[kind][index]
    image = Image.open(io.BytesIO((resources.files(package) / file).read_bytes()))
    image = image.convert("RGB" if kind == "photograph" else "L")
    image.thumbnail((_LARGEST, _LARGEST))
    halves = [image]
    while min(halves[-1].size) >= 32:
        halves.append(halves[-1].reduce(2))
    return [np.asarray(half) for half in halves]
