import os

import numpy as np
from PIL import Image


def smooth_picture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    large = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(large)


def names_of(source):
    return sorted(
        os.fsdecode(record["paths"]).rsplit("/", 2)[-2:]
        for record in source.elements(None).as_numpy_iterator()
    )
