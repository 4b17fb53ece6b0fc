"""The loss of YOLO9000 as a training loop calls it."""

from keras import ops

from kcv.boxes.word_tree import WordTree
from kcv.losses.word_tree import yolo_9000_loss


def word_losses(decoding, batch, outputs) -> dict:
    """The terms of `yolo_9000_loss`.

    Args:
        decoding: of the model.
        batch: {"boxes", "classes", "crowd"[, "labels"]} of `kcv.data.joint`; crowds
            teach nothing.
        outputs: of the model.

    Returns:
        {name: float32 (batch,)}.
    """
    classes = ops.where(batch["crowd"] > 0, -1, ops.cast(batch["classes"], "int32"))
    labels = batch.get("labels", -ops.ones_like(classes[:, 0]))
    return yolo_9000_loss(
        batch["boxes"],
        classes,
        labels,
        outputs,
        decoding.anchors,
        decoding.image_size,
        WordTree((), decoding.parents),
        decoding.stride,
    )
