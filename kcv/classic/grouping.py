"""Regions of an image and their hierarchical grouping, for selective search.

Papers: J. R. R. Uijlings et al., "Selective Search for Object Recognition", IJCV 2013,
section 3, https://doi.org/10.1007/s11263-013-0620-5; P. Felzenszwalb and D.
Huttenlocher, "Efficient Graph-Based Image Segmentation", IJCV 2004

Differs from the paper: textures are of the colour space of the segmentation.
"""

import heapq

import numpy as np
from scipy import ndimage
from skimage import segmentation

COLOUR_BINS, TEXTURE_BINS, ORIENTATIONS = 25, 10, 8  # section 3.2
SIMILARITIES = ("colour", "texture", "size", "fill")


class Regions:
    """The first regions of an image and what their similarities are made of.

    Args:
        image: float (h, w, channels), 0..1.
        scale: k of the graph segmentation.
        min_size: pixels of the smallest region.
    """

    def __init__(self, image, scale, min_size=20):
        self.labels = segmentation.felzenszwalb(
            image, scale, sigma=0.8, min_size=min_size, channel_axis=2
        )
        self.count = int(self.labels.max()) + 1
        self.pixels = self.labels.size
        sizes = np.bincount(self.labels.ravel(), minlength=self.count)
        found = ndimage.find_objects(self.labels + 1)
        boxes = [(x.start, y.start, x.stop, y.stop) for y, x in found]
        self._start = {
            "size": sizes.astype(float),
            "boxes": np.array(boxes, float),
            "colour": self._histograms(image, COLOUR_BINS),
            "texture": self._histograms(_edges(image), TEXTURE_BINS),
        }

    def _histograms(self, values, bins):
        """Histogram of each region, (count, channels * bins), of sum 1 each."""
        channels = values.shape[2]
        places = np.minimum((values * bins).astype(int), bins - 1)
        places += np.arange(channels) * bins
        places += self.labels[:, :, None] * channels * bins
        wanted = self.count * channels * bins
        found = np.bincount(places.ravel(), minlength=wanted).reshape(self.count, -1)
        return found / found.sum(axis=1, keepdims=True)

    def neighbours(self):
        """Pairs of regions that touch, int (n, 2), each once, the lower label first."""
        labels = self.labels
        across = np.stack([labels[:, :-1], labels[:, 1:]], axis=-1).reshape(-1, 2)
        down = np.stack([labels[:-1], labels[1:]], axis=-1).reshape(-1, 2)
        pairs = np.sort(np.concatenate([across, down]), axis=1)
        return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)

    def grouped(self, kinds):
        """Boxes of the first regions and of all that come of joining the most alike.

        Args:
            kinds: which of `SIMILARITIES` are added up.

        Returns:
            float (2 * count - 1, 4), in the order in which they come about; the last
            one is of the whole image.
        """
        return self.hierarchy(kinds)[0]

    def hierarchy(self, kinds):
        """As `grouped`, with what each region is made of.

        Args:
            kinds: as for `grouped`.

        Returns:
            (boxes of `grouped`, bool (2 * count - 1, count): the first regions that lie
            in each).
        """
        table = {  # with room for what is to come
            key: np.concatenate([values, np.zeros_like(values)])
            for key, values in self._start.items()
        }
        pairs = self.neighbours()
        likeness = self._similarity(table, pairs[:, 0], pairs[:, 1], kinds)
        queue = list(zip((-likeness).tolist(), *pairs.T.tolist()))
        heapq.heapify(queue)
        touching = [set() for _ in range(self.count)]
        for one, other in pairs.tolist():
            touching[one].add(other)
            touching[other].add(one)
        parts = np.eye(2 * self.count - 1, self.count, dtype=bool)
        while queue:
            _, one, other = heapq.heappop(queue)
            if touching[one] is None or touching[other] is None:
                continue  # has been joined with another since
            new = len(touching)
            _join(table, one, other, new)
            parts[new] = parts[one] | parts[other]
            around = (touching[one] | touching[other]) - {one, other}
            touching[one] = touching[other] = None
            for each in around:
                touching[each] -= {one, other}
                touching[each].add(new)
            touching.append(around)
            if around:
                each = np.array(sorted(around))
                likeness = self._similarity(table, each, new, kinds)
                for negative, region in zip((-likeness).tolist(), each.tolist()):
                    heapq.heappush(queue, (negative, region, new))
        return table["boxes"][: len(touching)], parts[: len(touching)]

    def _similarity(self, table, ones, others, kinds):
        """Sums of the wanted similarities of regions, (n,); section 3.2."""
        total = np.zeros(len(ones))
        for kind in ("colour", "texture"):
            if kind in kinds:
                histograms = table[kind]
                total += np.minimum(histograms[ones], histograms[others]).sum(axis=1)
        size = (table["size"][ones] + table["size"][others]) / self.pixels
        if "size" in kinds:
            total += 1 - size
        if "fill" in kinds:
            boxes = table["boxes"]
            low = np.minimum(boxes[ones, :2], boxes[others, :2])
            high = np.maximum(boxes[ones, 2:], boxes[others, 2:])
            total += 1 - ((high - low).prod(axis=1) / self.pixels - size)
        return total


def _join(table, one, other, new):
    """Fills row `new` of the table with the union of two regions."""
    sizes, boxes = table["size"], table["boxes"]
    sizes[new] = sizes[one] + sizes[other]
    boxes[new, :2] = np.minimum(boxes[one, :2], boxes[other, :2])
    boxes[new, 2:] = np.maximum(boxes[one, 2:], boxes[other, 2:])
    share = sizes[one] / sizes[new]
    for kind in ("colour", "texture"):
        rows = table[kind]
        rows[new] = share * rows[one] + (1 - share) * rows[other]


def _edges(image):
    """Gaussian derivatives in eight directions, (h, w, 8 * channels), 0..1."""
    down = ndimage.gaussian_filter(image, (1, 1, 0), order=(1, 0, 0))
    right = ndimage.gaussian_filter(image, (1, 1, 0), order=(0, 1, 0))
    angles = np.arange(ORIENTATIONS) * 2 * np.pi / ORIENTATIONS
    found = [np.cos(angle) * right + np.sin(angle) * down for angle in angles]
    # An edge from 0 to 1 gives 1 / sqrt(2 pi) = 0.4.
    return np.clip(np.concatenate(found, axis=2) / 0.4, 0, 1)
