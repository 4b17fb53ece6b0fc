"""The four losses of Faster R-CNN, one value an image each.

Papers: S. Ren et al., "Faster R-CNN", 2015, eq. 1, https://arxiv.org/abs/1506.01497;
R. Girshick, "Fast R-CNN", 2015, eq. 1 to 3, https://arxiv.org/abs/1504.08083

Differs from the papers: box losses are divided by all samples of the image, not only by
those with an object or by the places of the map, as in later code: so the weight of an
object does not depend on how many there are. Offsets of proposals have squares below
1/9, as in the code of the first paper.
"""

from keras import ops

from kcv.losses.detection import smooth_l1
from kcv.losses.instance import instance_loss

RPN_BETA = 1 / 9


def proposal_loss(indices, classes, target_offsets, scores, offsets, beta=RPN_BETA):
    """What the region proposal network is wrong about at sampled anchors.

    Args:
        indices: int (batch, k), of the sampled anchors.
        classes: int (batch, k): 1 with an object, 0 without, -1 is left out.
        target_offsets: float (batch, k, 4).
        scores: float (batch, n), logits of all anchors.
        offsets: float (batch, n, 4), of all anchors.
        beta: of smooth L1.

    Returns:
        {"rpn_class_loss": float32 (batch,), "rpn_box_loss": float32 (batch,)}, the mean
        of sigmoid cross-entropy and of smooth L1 over the samples; only those with an
        object have the latter.
    """
    classes = ops.cast(classes, "int32")
    scores = ops.take_along_axis(ops.cast(scores, "float32"), indices, axis=1)
    offsets = ops.cast(offsets, "float32")
    offsets = ops.take_along_axis(offsets, indices[..., None], axis=1)
    wrong = ops.softplus(ops.where(classes == 1, -scores, scores))
    boxes = ops.sum(smooth_l1(offsets - target_offsets, beta), axis=-1)
    return {
        "rpn_class_loss": _mean(wrong, classes >= 0, classes),
        "rpn_box_loss": _mean(boxes, classes == 1, classes),
    }


def roi_loss(classes, target_offsets, scores, offsets, beta=1.0):
    """What the second stage is wrong about in sampled RoIs.

    Args:
        classes: int (batch, k): 0 is the background, 1 the first class of objects; -1
            is left out.
        target_offsets: float (batch, k, 4).
        scores: float (batch, k, 1 + classes), logits of a softmax.
        offsets: float (batch, k, classes, 4).
        beta: of smooth L1.

    Returns:
        {"class_loss": float32 (batch,), "box_loss": float32 (batch,)}, the mean of
        softmax cross-entropy and of smooth L1 over the RoIs; only those with an object
        have the latter, of the offsets for its class.
    """
    scores, offsets = ops.cast(scores, "float32"), ops.cast(offsets, "float32")
    classes = ops.cast(classes, "int32")
    wrong = ops.sparse_categorical_crossentropy(
        ops.maximum(classes, 0), scores, from_logits=True
    )
    own = ops.one_hot(classes - 1, offsets.shape[2], dtype="float32")
    own = ops.sum(own[..., None] * offsets, axis=2)
    boxes = ops.sum(smooth_l1(own - target_offsets, beta), axis=-1)
    return {
        "class_loss": _mean(wrong, classes >= 0, classes),
        "box_loss": _mean(boxes, classes > 0, classes),
    }


def two_stage_loss(outputs):
    """All losses of what a training graph gives.

    Args:
        outputs: of kcv.models.detection.two_stage.training_graph.

    Returns:
        {"name": float32 (batch,)}: the losses of `roi_loss`, those of `proposal_loss`
        where there is a region proposal network, and of `instance_loss` where there
        are masks or keypoints; their sum is what is trained.
    """
    losses = roi_loss(
        *(outputs[f"roi_{name}"] for name in ("classes", "offsets")),
        *(outputs[name] for name in ("scores", "offsets")),
    )
    if "proposal_scores" in outputs:
        names = ("indices", "classes", "offsets")
        losses |= proposal_loss(
            *(outputs[f"anchor_{name}"] for name in names),
            *(outputs[f"proposal_{name}"] for name in ("scores", "offsets")),
        )
    return losses | instance_loss(outputs)


def _mean(each, counted, classes):
    """Sums (batch, k) where `counted`, over the samples that are not left out."""
    samples = ops.sum(ops.cast(classes >= 0, "float32"), axis=1)
    return ops.sum(ops.where(counted, each, 0), axis=1) / ops.maximum(samples, 1)
