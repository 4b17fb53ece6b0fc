"""The box of each proposal once its best class has moved it: where masks are looked at.

Paper: K. He et al., "Mask R-CNN", 2017, section 3.1 ("Inference"),
https://arxiv.org/abs/1703.06870
"""

import keras
from keras import layers, ops

from kcv.boxes.coding import SSD_VARIANCES, decode
from kcv.boxes.formats import clip


def best_boxes(proposals, scores, offsets, image_size, variances=SSD_VARIANCES):
    """Each proposal, moved as its class of highest score says.

    Args:
        proposals: float (batch, n, 4), x1, y1, x2, y2 in pixels.
        scores: float (batch, n, 1 + classes), the background first, which is no class.
        offsets: float (batch, n, classes, 4).
        image_size: (height, width) in pixels.
        variances: what the offsets were divided by.

    Returns:
        float32 (batch, n, 4), in pixels within the image, without gradient.
    """
    # ops.argmax would not convert to TFLite builtin operators.
    _, best = ops.top_k(ops.cast(scores[..., 1:], "float32"), 1)
    own = ops.one_hot(best[..., 0], offsets.shape[2], dtype="float32")
    own = ops.sum(own[..., None] * ops.cast(offsets, "float32"), axis=2)
    return ops.stop_gradient(clip(decode(own, proposals, variances), image_size))


@keras.saving.register_keras_serializable("kcv")
class BestBoxes(layers.Layer):
    """Layer of `best_boxes`; called with (proposals, scores, offsets).

    Args:
        image_size: (height, width) in pixels.
    """

    def __init__(self, image_size, **kwargs):
        kwargs["autocast"] = False  # half precision has no 2049, bfloat16 no 257
        super().__init__(**kwargs)
        self.image_size = tuple(image_size)

    def call(self, proposals, scores, offsets):
        """(b, n, 4), (b, n, 1 + c) and (b, n, c, 4) to float32 (b, n, 4)."""
        return best_boxes(proposals, scores, offsets, self.image_size)

    def compute_output_spec(self, proposals, scores, offsets):  # noqa: D102
        return keras.KerasTensor(proposals.shape, dtype="float32")

    def get_config(self):  # noqa: D102
        return super().get_config() | {"image_size": self.image_size}
