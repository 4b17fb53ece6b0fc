"""Region proposals of many images, by several processes, and their file."""

import concurrent.futures
import functools
import multiprocessing
import pathlib

import numpy as np

from kcv import files
from kcv.classic.grouping import SIMILARITIES
from kcv.classic.objectness import objectness_windows
from kcv.classic.region_search import region_search
from kcv.classic.selective_search import selective_search

# Two of the eight groupings: a third of the time, and a recall at 200 boxes and an IoU
# of 0.5 of 0.96 in place of 0.98 on 'scenes/detection'.
FAST = (("hsv", 50, SIMILARITIES), ("lab", 50, SIMILARITIES))
METHODS = {
    "selective_search": selective_search,
    "selective_search_fast": functools.partial(selective_search, strategies=FAST),
    "objectness": objectness_windows,
}
REGION_METHODS = {  # those that know the pixels of a proposal
    "selective_search": region_search,
    "selective_search_fast": functools.partial(region_search, strategies=FAST),
}


def propose(images, method: str, count: int, workers: int = 1):
    """Yields the proposals of one image after the other.

    Args:
        images: list of uint8 (h, w, 3), each of its own size.
        method: a key of METHODS.
        count: boxes of an image at most.
        workers: processes; more than one take some seconds to start.

    Yields:
        float32 (n, 4), x1, y1, x2, y2 in pixels, best first.

    Raises:
        ValueError: there is no such method, or count or workers is below 1.
    """
    yield from _of_images(METHODS, images, method, count, workers)


def propose_regions(images, method: str, count: int, workers: int = 1):
    """As `propose`, for a key of REGION_METHODS; yields Segments, best first."""
    yield from _of_images(REGION_METHODS, images, method, count, workers)


def write(path: str | pathlib.Path, proposals):
    """Writes the proposals of images, a list of (n, 4), whole or not at all."""
    counts = np.array([len(boxes) for boxes in proposals], "int64")
    boxes = np.concatenate([np.zeros((0, 4)), *proposals]).astype("float32")
    with files.replacing(path) as hidden, open(hidden, "wb") as file:
        np.savez(file, boxes=boxes, counts=counts)


def read(path: str | pathlib.Path) -> list[np.ndarray]:
    """Returns what `write` has written."""
    with np.load(path) as stored:
        return np.split(stored["boxes"], np.cumsum(stored["counts"])[:-1])


def _of_images(methods, images, method, count, workers):
    if method not in methods:
        raise ValueError(f"no proposals {method!r}; known: {', '.join(methods)}")
    if count < 1 or workers < 1:
        raise ValueError(f"count={count} and workers={workers} must be 1 or more")
    of_image = functools.partial(_first, methods[method], count)
    if workers == 1:
        yield from map(of_image, images)
        return
    # A process that is forked while TensorFlow's threads run may wait for ever.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, context) as pool:
        yield from pool.map(of_image, images, chunksize=8)


def _first(method, count, image):
    return method(image)[:count]
