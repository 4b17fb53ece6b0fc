"""Which anchors a region proposal network learns from, and what it has to say there.

Paper: S. Ren et al., "Faster R-CNN", 2015, sections 3.1.2 and 3.1.3,
https://arxiv.org/abs/1506.01497

Differs from the paper: anchors that stick out of the image count, as in later code; in
small images few others would be left.
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from kcv.boxes.coding import encode
from kcv.boxes.formats import as_float
from kcv.boxes.matching import match, of_objects
from kcv.boxes.sampling import sample
from kcv.layers.proposals import level_anchors, plain_levels
from kcv.layers.seeded_layer import SeededLayer


class AnchorTargets(NamedTuple):
    """Sampled anchors, those with an object first, without gradients.

    Args:
        indices: int32 (batch, count), of anchors.
        classes: int32 (batch, count): 1 with an object, 0 for the background, -1 where
            there were too few, which is ignored.
        offsets: float32 (batch, count, 4), from the anchor to its object; 0 without
            one.
    """

    indices: object
    classes: object
    offsets: object


def anchor_targets(
    anchors, boxes, classes, random, count, max_positive,
    foreground=0.7, background=0.3, crowd=None,
) -> AnchorTargets:  # fmt: skip
    """Matches anchors with objects and draws some of both kinds.

    Args:
        anchors: float (n, 4), x1, y1, x2, y2 in pixels.
        boxes: float (batch, m, 4), of objects.
        classes: int (batch, m); -1 where a slot is empty.
        random: float (batch, n), in 0..1: the highest are drawn.
        count: how many anchors of an image.
        max_positive: how many of them may have an object.
        foreground: IoU from which an anchor has its best object; each object also has
            the anchor that fits it best.
        background: IoU below which an anchor is background.
        crowd: (batch, m), not 0 for slots that hold a crowd; see matching.match.

    Returns:
        AnchorTargets.
    """
    anchors, boxes = map(ops.stop_gradient, as_float(anchors, boxes))
    found = match(anchors, boxes, classes, foreground, background, crowd)
    drawn = sample(found.objects, random, count, max_positive)
    own = ops.take_along_axis(found.objects, drawn.indices, axis=1)
    own = ops.where(drawn.positive, own, -1)
    at = ops.take(anchors, drawn.indices, axis=0)
    places = ops.where((own >= 0)[..., None], of_objects(boxes, own, 0), at)
    kinds = ops.where(drawn.valid, ops.cast(drawn.positive, "int32"), -1)
    return AnchorTargets(drawn.indices, kinds, encode(places, at))


@keras.saving.register_keras_serializable("kcv")
class SampleAnchors(SeededLayer):
    """Layer of `anchor_targets`; gives the dict of AnchorTargets.

    Called with (boxes, classes, crowd). Out of training the same anchors are drawn
    whenever it is called.

    Args:
        image_size: (height, width) in pixels.
        levels: as for `Proposals`.
        count: as for `anchor_targets`; no more than there are anchors.
        max_positive: as for `anchor_targets`.
        foreground: likewise.
        background: likewise.
        seed: of the random numbers.
    """

    def __init__(
        self, image_size, levels, count=256, max_positive=128, foreground=0.7,
        background=0.3, seed=None, **kwargs,
    ):  # fmt: skip
        super().__init__(seed, **kwargs)
        self.image_size, self.levels = tuple(image_size), plain_levels(levels)
        self.count, self.max_positive = count, max_positive
        self.foreground, self.background = foreground, background

    def call(self, boxes, classes, crowd=None, training=None):  # noqa: D102
        anchors = np.concatenate(level_anchors(self.image_size, self.levels))
        random = self.draw((ops.shape(boxes)[0], len(anchors)), training)
        found = anchor_targets(
            *(anchors, boxes, classes, random, self.count, self.max_positive),
            *(self.foreground, self.background, crowd),
        )
        return found._asdict()

    def compute_output_spec(self, boxes, *args, **kwargs):  # noqa: D102
        lead = (boxes.shape[0], self.count)
        return {
            "indices": keras.KerasTensor(lead, dtype="int32"),
            "classes": keras.KerasTensor(lead, dtype="int32"),
            "offsets": keras.KerasTensor((*lead, 4), dtype="float32"),
        }

    def get_config(self):  # noqa: D102
        names = "image_size levels count max_positive foreground background"
        return super().get_config() | {n: getattr(self, n) for n in names.split()}
