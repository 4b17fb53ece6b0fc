"""What mask and keypoint heads have to say of RoIs that have an object.

Paper: K. He et al., "Mask R-CNN", 2017, section 3 (masks) and section 5 (keypoints as
one-hot masks), https://arxiv.org/abs/1703.06870

RoIs with an object stand first (RoITargets), so that the first `count` hold them all.
"""

import keras
from keras import layers, ops

from kcv.boxes.matching import of_objects
from kcv.layers.roi_align import roi_align


def mask_targets(masks, boxes, objects, size):
    """Each box's object, cut out of its mask.

    Args:
        masks: bool or 0 and 1 (batch, m, height, width), of objects, in image pixels.
        boxes: float (batch, n, 4), x1, y1, x2, y2 in pixels.
        objects: int (batch, n), the slot of the object, -1 without one.
        size: of the targets.

    Returns:
        float32 (batch, n, size, size), 0 and 1: whether the middle of a bin lies in the
        mask, between pixels by bilinear interpolation.
    """
    maps = ops.transpose(ops.cast(masks, "float32"), (0, 2, 3, 1))
    bins = roi_align(maps, boxes, size, stride=1, sampling_ratio=1)
    own = ops.one_hot(ops.cast(objects, "int32"), maps.shape[-1], dtype="float32")
    inside = ops.sum(bins * own[:, :, None, None], axis=-1)
    return ops.cast(inside >= 0.5, "float32")


def keypoint_targets(keypoints, boxes, objects, size):
    """The bin of each box in which each of its object's keypoints lies.

    Args:
        keypoints: float (batch, m, k, 3), x, y in pixels and visibility, 0 where a
            keypoint is not known.
        boxes: float (batch, n, 4), x1, y1, x2, y2 in pixels.
        objects: int (batch, n), the slot of the object, -1 without one.
        size: bins along each side.

    Returns:
        int32 (batch, n, k), row * size + column; -1 for a keypoint that is not known or
        not in the box.
    """
    objects = ops.cast(objects, "int32")
    own = of_objects(ops.cast(keypoints, "float32"), objects, 0)
    boxes = ops.cast(boxes, "float32")[:, :, None]
    low, high = boxes[..., :2], boxes[..., 2:]
    places = (own[..., :2] - low) / ops.maximum(high - low, 1e-6) * size
    # The right and the lower side belong to the last bins.
    inside = ops.all((own[..., :2] >= low) & (own[..., :2] <= high), axis=-1)
    bins = ops.cast(ops.clip(ops.floor(places), 0, size - 1), "int32")
    known = inside & (own[..., 2] > 0) & (objects >= 0)[..., None]
    return ops.where(known, bins[..., 1] * size + bins[..., 0], -1)


class _Targets(layers.Layer):
    """Called with (truth, rois, classes, objects), of which the first RoIs count."""

    def __init__(self, count, size, **kwargs):
        kwargs["autocast"] = False  # half precision has no 2049, bfloat16 no 257
        super().__init__(**kwargs)
        self.count, self.size = count, size

    def call(self, truth, rois, classes, objects):
        """Gives {"boxes", "classes", "targets"} of the first `count` RoIs."""
        rois, classes, objects = (x[:, : self.count] for x in (rois, classes, objects))
        targets = self._of(truth, rois, objects)
        return {"boxes": rois, "classes": classes, "targets": targets}

    def compute_output_spec(self, truth, rois, classes, objects):  # noqa: D102
        lead = (rois.shape[0], min(self.count, rois.shape[1]))
        tail, dtype = self._kind(truth)
        return {
            "boxes": keras.KerasTensor((*lead, 4), dtype="float32"),
            "classes": keras.KerasTensor(lead, dtype="int32"),
            "targets": keras.KerasTensor((*lead, *tail), dtype=dtype),
        }

    def get_config(self):  # noqa: D102
        return super().get_config() | {"count": self.count, "size": self.size}


@keras.saving.register_keras_serializable("kcv")
class MaskTargets(_Targets):
    """Layer of `mask_targets`; its truth are masks (batch, m, height, width)."""

    def _of(self, masks, rois, objects):
        return mask_targets(masks, rois, objects, self.size)

    def _kind(self, masks):
        return (self.size, self.size), "float32"


@keras.saving.register_keras_serializable("kcv")
class KeypointTargets(_Targets):
    """Layer of `keypoint_targets`; its truth are keypoints (batch, m, k, 3)."""

    def _of(self, keypoints, rois, objects):
        return keypoint_targets(keypoints, rois, objects, self.size)

    def _kind(self, keypoints):
        return keypoints.shape[2:3], "int32"
