"""Samples whose labels can be read off their pictures, and chosen random numbers."""

import numpy as np
import tensorflow as tf

from kcv.data import random_numbers
from kcv.data.transforms import transforms as transforming

H, W = 40, 56


def draw(seed=None, **values):
    """Random numbers as given, elsewhere by a seed or in the middle."""
    rng = np.random.default_rng(seed)
    names = random_numbers._COLUMNS
    numbers = dict.fromkeys(names, 0.5)
    if seed is not None:
        numbers = dict(zip(names, rng.random(len(names))))
    return {
        name: tf.constant(values.get(name, number), tf.float64)
        for name, number in numbers.items()
    }


def change(knobs, *samples, seed=None, **values):
    """Changes one sample, or the four of a mosaic; NumPy in and out."""
    stack = {
        key: tf.stack([tf.constant(s[key]) for s in samples]) for key in samples[0]
    }
    random = draw(seed, **values)
    changed = transforming.change_sample(knobs, stack, random, len(samples) > 1)
    return {key: np.asarray(value) for key, value in changed.items()}


def grid(height=H, width=W):
    """x and y of pixel centres."""
    return np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)


def box_of(mask):
    """Slow and obvious."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return np.zeros(4)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def objects(seed=0, slots=4, count=3, height=H, width=W):
    """Disks of one grey level each that do not overlap; every label follows from them.

    Object i has level 40 * (i + 1), class i and two keypoints: its middle and a corner
    of its box. Slots from `count` on are empty.
    """
    rng = np.random.default_rng(seed)
    x, y = grid(height, width)
    masks = np.zeros((slots, height, width), np.uint8)
    keypoints = np.zeros((slots, 2, 3), np.float32)
    for i in range(count):
        free = masks.max(axis=0) == 0
        centre = rng.uniform((8, 8), (width - 8, height - 8))
        radius = rng.uniform(4, 8)
        masks[i] = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2) & free
        if masks[i].any():
            keypoints[i, 0] = *centre, 2
            keypoints[i, 1] = *box_of(masks[i])[:2], 1
    levels = 40 * (np.arange(slots) + 1)[:, None, None]
    image = (masks * levels).sum(axis=0).astype(np.uint8)[..., None]
    there = masks.any(axis=(1, 2))
    return {
        "images": np.repeat(image, 3, axis=-1),
        "boxes": np.float32([box_of(m) for m in masks]).reshape(slots, 4),
        "classes": np.where(there, np.arange(slots), -1).astype(np.int32),
        "masks": masks,
        "keypoints": keypoints,
        "semantic": (image[..., 0] // 40).astype(np.int32),
    }


def texture(x, y):
    """Smooth, without symmetry, float32 levels."""
    return (
        128 + 50 * np.sin(x / 7 + 0.3) * np.cos(y / 9) + 40 * np.sin((x + 2 * y) / 15)
    )


def homography(knobs, size=(H, W), seed=None, **values):
    """The matrix that `change` with the same arguments uses."""
    from kcv.data.transforms import geometry

    return geometry.random_homography(knobs, draw(seed, **values), size).numpy()


def moved(matrix, x, y):
    """Points under a 3 x 3 matrix, in NumPy."""
    x2, y2, below = np.einsum(
        "ij,j...->i...", matrix, np.stack([x, y, np.ones_like(x)])
    )
    return x2 / below, y2 / below
