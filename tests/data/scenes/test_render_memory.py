import gc
import sys

import numpy as np
import pytest

from kcv.data import scenes
from kcv.data.scenes import sprites

WANT = {"boxes", "masks", "keypoints", "depth", "normals", "albedo", "semantic"}


def blocks_held(config, first, last):
    """Python's memory blocks (an array takes at least one) after some scenes."""
    for i in range(first, last):
        scenes.render(scenes.sample(config, "train", 0, i), WANT)
    gc.collect()
    return sys.getallocatedblocks()


@pytest.mark.slow
def test_memory_stays_flat_over_thousands_of_scenes():
    """Once every digit has been drawn, nothing more is kept."""
    config = scenes.Config(height=16, width=16, people=(0, 1), sizes=(0.2, 0.3))
    for sprite in range(1797):
        sprites.field(sprite)
    before = blocks_held(config, 0, 300)
    assert blocks_held(config, 300, 2300) - before < 300


def test_scenes_do_not_share_buffers():
    config = scenes.Config(height=24, width=24)
    first = scenes.render(scenes.sample(config, "train", 0, 0), WANT)
    copies = {name: value.copy() for name, value in first.items()}
    scenes.render(scenes.sample(config, "train", 0, 1), WANT)
    for name, value in first.items():
        assert np.array_equal(value, copies[name])
