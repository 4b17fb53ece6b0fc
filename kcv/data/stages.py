"""Which stage of the pipeline is the slowest: what to look at when training waits."""

import itertools
import os
import time

import numpy as np

from kcv.data import augment as augmentation
from kcv.data import images, pipeline, shares

IMAGES = 256  # that are timed


def stage_seconds(source, batch_size, image_shape, pixel_range, augment=None, seed=0):
    """Times the stages of `kcv.data.batches`, one after another on the same images.

    Args:
        source: `Source`.
        batch_size: Images in a batch.
        image_shape: (height, width, channels).
        pixel_range: (low, high).
        augment: `Augment`, or None.
        seed: Seed of order and augmentation.

    Returns:
        {"reading": s, "decoding": s, "augmentation": s, "batching": s}, seconds an
        image with the pipeline's threads: each stage's own, without those before it.
        Images that are kept decoded in memory cost no decoding.
    """
    image_shape, threads = tuple(image_shape), os.cpu_count()
    augment = augment or augmentation.Augment()
    none = augmentation.Augment(crop_scale=augment.crop_scale)
    count = min(source.num_examples, IMAGES)
    share = shares.share_of(batch_size, (0, 1, 1))
    cut = (batch_size, share, share)
    kept = images.in_memory(source, image_shape, augment, pipeline.CACHE_BYTES, threads)

    def rows(augment):
        at = np.arange(source.num_examples)
        return images.image_rows(
            kept, at, cut, image_shape, augment, seed, epoch=0, threads=threads
        ).with_options(images.data_options())

    whole = pipeline.batches(
        source, batch_size, image_shape, pixel_range, augment=augment, epoch=0
    )
    so_far = {
        "reading": _seconds(kept.elements(seed), count),
        "decoding": _seconds(rows(none), count),
        "augmentation": _seconds(rows(augment), count),
        "batching": _seconds(whole, -(-count // batch_size)),
    }
    times = [0.0, *(seconds / count for seconds in so_far.values())]
    steps = itertools.pairwise(times)
    return {name: max(b - a, 0.0) for name, (a, b) in zip(so_far, steps)}


def slowest_stage(*args, **kwargs):
    """Names the slowest stage in words, for a person; arguments of `stage_seconds`."""
    seconds = stage_seconds(*args, **kwargs)
    name = max(seconds, key=seconds.get)
    total = sum(seconds.values())
    return f"{name} ({1e3 * seconds[name]:.2f} ms of {1e3 * total:.2f} ms an image)"


def _seconds(data, count):
    """Seconds that a second pass over `count` elements takes; the first one traces."""
    for _ in range(2):
        start = time.perf_counter()
        for _ in data.take(count):
            pass
    return time.perf_counter() - start
