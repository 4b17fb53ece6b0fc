"""Two domains of digits for domain adaptation: printed by us and written by people.

Both give 32 x 32 colour images of the same ten classes. Synthetic: digits of the fonts
that matplotlib ships, with random place, size, turn, slant and weight, in random
colours on a random gradient. Real: scikit-learn's handwritten digits, white on black.
The splits are disjoint: the hash of a handwritten digit's pixels decides its split, a
printed one is drawn from (seed, split, index).

Paper: Y. Ganin et al., Domain-Adversarial Training of Neural Networks, 2016,
https://arxiv.org/abs/1505.07818 (the use: labels of the first domain, images of both)
"""

import functools
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from sklearn import datasets

from kcv.data.scenes import scene, sprites

IMAGE_SIZE = 32  # pixels
FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic"),
    *(
        "STIXGeneral",
        "STIXGeneralBol",
        "STIXGeneralItalic",
        "cmr10",
        "cmss10",
        "cmtt10",
    ),
)
_FINE = 4  # a glyph is drawn finer by this and resampled
_GLYPH = IMAGE_SIZE * _FINE  # side of a glyph's picture, pixels
_MIN_CONTRAST = 60  # levels of 255 between the ink and either end of the gradient
_LUMA = np.array((0.299, 0.587, 0.114))  # BT.601


def synthetic(split: str, seed: int, index: int) -> dict:
    """Prints one digit.

    Args:
        split: "train", "validation" or "test".
        seed: Of the data set.
        index: Of the image, from 0 on; there is no last one.

    Returns:
        images uint8 (32, 32, 3), labels int32 ().
    """
    rng = np.random.default_rng((seed, _number(split), index, 0x5E7))
    digit = int(rng.integers(10))
    glyph = _glyph(int(rng.integers(len(FONTS))), digit)
    ink = _place(glyph, rng)[..., None]
    first, last, colour = _colours(rng)
    y, x = (np.mgrid[:IMAGE_SIZE, :IMAGE_SIZE] + 0.5) / IMAGE_SIZE
    angle = rng.uniform(0, 2 * np.pi)
    along = 0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)
    along = np.clip(along, 0, 1)[..., None]
    image = (1 - ink) * (first + (last - first) * along) + ink * colour
    image += rng.normal(0, rng.uniform(0, 6), image.shape)
    image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return {"images": image, "labels": np.int32(digit)}


def real(split: str, index: int) -> dict:
    """Returns one handwritten digit, in the form of `synthetic`.

    Raises:
        ValueError: The index is none of 0 .. `num_real(split)` - 1.
    """
    rows = _rows(split)
    if not 0 <= index < len(rows):
        raise ValueError(
            f"there is no handwritten digit {index} in {split}; use 0..{len(rows) - 1}"
        )
    data = _digits()
    small = data.images[rows[index]].astype(np.float32) * (255 / 16)
    large = Image.fromarray(small).resize((IMAGE_SIZE,) * 2, Image.Resampling.BICUBIC)
    large = np.clip(np.rint(large), 0, 255).astype(np.uint8)
    image = np.repeat(large[..., None], 3, axis=-1)
    return {"images": image, "labels": np.int32(data.target[rows[index]])}


def num_real(split: str) -> int:
    """Returns how many handwritten digits a split has."""
    return len(_rows(split))


def _number(split):
    if split not in scene.SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(scene.SPLITS)}")
    return scene.SPLITS.index(split)


@functools.cache
def _rows(split):
    """Rows of scikit-learn's digits, in the order they have there."""
    _number(split)
    return sorted(row for rows in sprites.of_split(split) for row in rows)


_digits = functools.cache(datasets.load_digits)


@functools.cache
def _glyph(font, digit):
    """Ink 0..255 (128, 128) of a digit, its extent in the middle, 96 pixels high."""
    folder = Path(matplotlib.get_data_path(), "fonts/ttf")
    sheet = Image.new("L", (_GLYPH, _GLYPH))
    draw = ImageDraw.Draw(sheet)
    path = str(folder / f"{FONTS[font]}.ttf")
    _, top, _, bottom = ImageFont.truetype(path, 100).getbbox(str(digit))
    typeface = ImageFont.truetype(path, round(100 * 0.75 * _GLYPH / (bottom - top)))
    left, top, right, bottom = typeface.getbbox(str(digit))
    corner = ((_GLYPH - left - right) / 2, (_GLYPH - top - bottom) / 2)
    draw.text(corner, str(digit), fill=255, font=typeface)
    return sheet


def _place(glyph, rng):
    """Returns ink 0..1 (32, 32) of a glyph that was turned, slanted, moved, thinned."""
    turn, slant = np.deg2rad(rng.uniform(-20, 20)), rng.uniform(-0.25, 0.25)
    scale = rng.uniform(0.8, 1.2) * np.array([rng.uniform(0.8, 1.2), 1.0])
    middle = _GLYPH / 2
    shift = rng.uniform(-0.1, 0.1, 2) * _GLYPH
    rotation = np.array([(np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))])
    linear = np.array([(1, slant), (0, 1)]) @ rotation / scale[:, None]
    offset = middle - linear @ (middle + shift)
    rows = np.concatenate([linear, offset[:, None]], axis=1)
    fine = glyph.transform(
        glyph.size, Image.Transform.AFFINE, rows.ravel(), Image.Resampling.BILINEAR
    )
    ink = fine.resize((IMAGE_SIZE,) * 2, Image.Resampling.BOX)
    return (np.asarray(ink) / 255.0) ** rng.uniform(0.7, 1.4)


def _colours(rng):
    """Both ends of the gradient and the ink, (3,) each, that can be told apart."""
    while True:
        first, last, ink = colours = rng.uniform(0, 255, (3, 3))
        contrast = (ink - colours[:2]) @ _LUMA
        # Both of one sign: in the middle of the gradient the ink must show, too.
        if contrast.min() >= _MIN_CONTRAST or contrast.max() <= -_MIN_CONTRAST:
            return colours
