"""Proposals: the boxes of a region proposal network that are worth a second look.

Papers: S. Ren et al., "Faster R-CNN", 2015, section 3.3 (clipping, non-maximum
suppression at an IoU of 0.7, the highest are kept), https://arxiv.org/abs/1506.01497;
T. Lin et al., "Feature Pyramid Networks for Object Detection", 2017, section 4.2 (each
level by itself), https://arxiv.org/abs/1612.03144

Differs from the papers: proposals without area are dropped, others are not, however
small they are.

The number of proposals is fixed; places that are left over have box 0. All operations
convert to TFLite builtin operators.
"""

import keras
from keras import layers, ops

from kcv.boxes import nms
from kcv.boxes.anchors import grid, map_size
from kcv.boxes.coding import decode
from kcv.boxes.formats import areas, clip
from kcv.layers.roi_sampling import check_sizes


def propose(scores, offsets, anchors, image_size, count, candidates, iou_threshold=0.7):
    """The `count` best boxes of all levels, of which none of a level overlap much.

    Args:
        scores: float (batch, n), any measure of objectness that rises; NaN is none.
        offsets: float (batch, n, 4), of coding.encode without variances.
        anchors: list of float32 (n of the level, 4), x1, y1, x2, y2 in pixels.
        image_size: (height, width) in pixels.
        count: of proposals.
        candidates: anchors of highest score that are compared on each level.
        iou_threshold: of two boxes of a level, above which the lower one is dropped.

    Returns:
        float32 (batch, count, 4), x1, y1, x2, y2 in pixels within the image, by falling
        score, without gradient; box 0 where there are fewer.
    """
    scores = ops.stop_gradient(ops.cast(scores, "float32"))
    offsets = ops.stop_gradient(ops.cast(offsets, "float32"))
    scores = ops.where(scores > nms.NOTHING, scores, nms.NOTHING)  # NaN becomes least
    boxes, values, start = [], [], 0
    for own in anchors:
        end = start + len(own)
        best, order = ops.top_k(scores[:, start:end], min(candidates, len(own)))
        order = ops.cast(order, "int32")
        moved = ops.take_along_axis(offsets[:, start:end], order[..., None], axis=1)
        found = clip(decode(moved, ops.take(own, order, axis=0)), image_size)
        best = ops.where(areas(found) > 0, best, nms.NOTHING)
        kept = nms.nms(found, best, iou_threshold, count)
        best = ops.take_along_axis(best, ops.maximum(kept, 0), axis=1)
        boxes.append(nms.gather(found, kept))
        values.append(ops.where(kept >= 0, best, nms.NOTHING))
        start = end
    if len(boxes) == 1:
        return boxes[0]
    _, order = ops.top_k(ops.concatenate(values, axis=1), count)
    order = ops.cast(order, "int32")[..., None]
    return ops.take_along_axis(ops.concatenate(boxes, axis=1), order, axis=1)


@keras.saving.register_keras_serializable("kcv")
class Proposals(layers.Layer):
    """Layer of `propose`; called with (scores, offsets).

    Args:
        image_size: (height, width) in pixels.
        levels: [(stride, [(width, height), ...]), ...], in pixels: where the anchors of
            each map are and what shapes they have at each place.
        count: of proposals.
        candidates: as for `propose`.
        iou_threshold: likewise.
    """

    def __init__(
        self, image_size, levels, count, candidates=1000, iou_threshold=0.7, **kwargs
    ):
        kwargs["autocast"] = False  # half precision has no 2049, bfloat16 no 257
        super().__init__(**kwargs)
        self.image_size, self.levels = tuple(image_size), plain_levels(levels)
        self.count, self.candidates = count, candidates
        self.iou_threshold = iou_threshold
        check_sizes(count=count, candidates=candidates)

    def call(self, scores, offsets):
        """(b, n) and (b, n, 4) to float32 (b, count, 4)."""
        anchors = level_anchors(self.image_size, self.levels)
        number = sum(map(len, anchors))
        if scores.shape[1] != number or offsets.shape[1] != number:
            raise ValueError(
                f"{number} anchors, but scores of {scores.shape[1]} and offsets of "
                f"{offsets.shape[1]}: give the shapes that the head answers for"
            )
        return propose(
            *(scores, offsets, anchors, self.image_size),
            *(self.count, self.candidates, self.iou_threshold),
        )

    def compute_output_spec(self, scores, offsets):  # noqa: D102
        return keras.KerasTensor((scores.shape[0], self.count, 4), dtype="float32")

    def get_config(self):  # noqa: D102
        names = ("image_size", "levels", "count", "candidates", "iou_threshold")
        return super().get_config() | {name: getattr(self, name) for name in names}


def plain_levels(levels):
    """Levels as lists of plain numbers, which a saved model can hold."""
    return [
        [int(stride), [[float(x) for x in shape] for shape in shapes]]
        for stride, shapes in levels
    ]


def level_anchors(image_size, levels):
    """Anchors of each level, float32 (n, 4), in the order of a map made flat."""
    return [
        grid(map_size(image_size, stride), stride, shapes) for stride, shapes in levels
    ]
