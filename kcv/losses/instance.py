"""Losses of mask and keypoint heads, one value an image.

Paper: K. He et al., "Mask R-CNN", 2017, section 3 (the average binary cross-entropy of
the mask of the object's class alone) and section 5 (softmax over the places of a
keypoint), https://arxiv.org/abs/1703.06870
"""

from keras import ops


def mask_loss(classes, targets, masks):
    """Sigmoid cross-entropy of the masks of RoIs that have an object.

    Args:
        classes: int (batch, n): 1 is the first class of objects; 0 and -1 are left out.
        targets: (batch, n, size, size), 0 and 1.
        masks: float (batch, n, size, size, classes), logits.

    Returns:
        float32 (batch,), the mean over pixels and RoIs; 0 without objects.
    """
    classes = ops.cast(classes, "int32")
    own = ops.one_hot(classes - 1, masks.shape[-1], dtype="float32")
    logits = ops.sum(ops.cast(masks, "float32") * own[:, :, None, None], axis=-1)
    wrong = ops.softplus(ops.where(targets > 0.5, -logits, logits))
    return _mean(ops.mean(wrong, axis=(2, 3)), classes > 0, (1,))


def keypoint_loss(bins, keypoints):
    """Softmax cross-entropy over all places, for keypoints that are known.

    Args:
        bins: int (batch, n, k), row * size + column; -1 is left out.
        keypoints: float (batch, n, size, size, k), logits.

    Returns:
        float32 (batch,), the mean over keypoints; 0 where none is known.
    """
    bins = ops.cast(bins, "int32")
    size, count = keypoints.shape[3], keypoints.shape[4]
    rois = keypoints.shape[1]
    logits = ops.reshape(ops.cast(keypoints, "float32"), (-1, rois, size * size, count))
    logits = ops.transpose(logits, (0, 1, 3, 2))
    wrong = ops.sparse_categorical_crossentropy(
        ops.maximum(bins, 0), logits, from_logits=True
    )
    return _mean(wrong, bins >= 0, (1, 2))


def instance_loss(outputs):
    """The losses of the heads that a training graph has.

    Args:
        outputs: of kcv.models.detection.two_stage.training_graph.

    Returns:
        {"mask_loss": float32 (batch,)} of Mask R-CNN, {"keypoint_loss": float32
        (batch,)} of Keypoint R-CNN; nothing of models without these heads.
    """
    losses = {}
    if "masks" in outputs:
        names = ("mask_classes", "mask_targets", "masks")
        losses["mask_loss"] = mask_loss(*(outputs[name] for name in names))
    if "keypoints" in outputs:
        names = ("keypoint_targets", "keypoints")
        losses["keypoint_loss"] = keypoint_loss(*(outputs[name] for name in names))
    return losses


def _mean(each, counted, axes):
    number = ops.sum(ops.cast(counted, "float32"), axis=axes)
    return ops.sum(ops.where(counted, each, 0), axis=axes) / ops.maximum(number, 1)
