"""Softmax over angles, with a margin that the right class must keep.

Papers: J. Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face
Recognition", 2019, https://arxiv.org/abs/1801.07698 (margin); W. Liu et al.,
"SphereFace: Deep Hypersphere Embedding for Face Recognition", 2017,
https://arxiv.org/abs/1704.08063 (factor)

Differs from the papers: ArcFace leaves open what comes after 180 degrees; here, as in
SphereFace, the cosine goes on falling.
"""

import math

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("kcv")
class AngularMargin(layers.Layer):
    """Logits of embeddings of length 1: scaled cosines to a direction for each class.

    Args:
        classes: number of classes.
        margin: radians added to the angle of the right class: ArcFace.
        factor: by which it is multiplied before: SphereFace; 1 for none.
        scale: of the cosines, which are the logits; there is no bias.
    """

    def __init__(self, classes, margin=0.5, factor=1, scale=64.0, **kwargs):
        kwargs.setdefault("dtype", "float32")  # angles near 0 need it
        super().__init__(**kwargs)
        self.classes, self.margin = classes, margin
        self.factor, self.scale = factor, scale

    def build(self, input_shape):  # noqa: D102
        self.kernel = self.add_weight(
            name="kernel", shape=(_embeddings(input_shape)[-1], self.classes)
        )

    def call(self, inputs):
        """Embeddings (b, width), or [them, labels int (b,)]: float32 (b, classes).

        Without labels, as in use, there is no margin.
        """
        labelled = isinstance(inputs, (list, tuple))
        embeddings, labels = inputs if labelled else (inputs, None)
        length = ops.sqrt(ops.sum(ops.square(self.kernel), axis=0, keepdims=True))
        cosines = ops.matmul(embeddings, self.kernel / ops.maximum(length, 1e-6))
        if labelled:
            right = ops.one_hot(labels, self.classes, dtype="float32")
            cosines += right * (self._with_margin(cosines) - cosines)
        return self.scale * cosines

    def _with_margin(self, cosines):
        """Psi, equation 7 of SphereFace: (-1)^k cos(angle) - 2 k, in turn k of pi."""
        # The slope of the inverse cosine is infinite at 1 and -1.
        angles = ops.arccos(ops.clip(cosines, -1 + 1e-6, 1 - 1e-6))
        angles = self.factor * angles + self.margin
        turns = ops.floor(angles / math.pi)
        sign = 1 - 2 * (turns % 2)
        return sign * ops.cos(angles) - 2 * turns

    def compute_output_shape(self, input_shape):  # noqa: D102
        return (_embeddings(input_shape)[0], self.classes)

    def multiply_adds(self, input_shape):
        """Of one image: as of a dense layer."""
        return _embeddings(input_shape)[-1] * self.classes

    def get_config(self):  # noqa: D102
        names = ("classes", "margin", "factor", "scale")
        return super().get_config() | {name: getattr(self, name) for name in names}


def _embeddings(input_shape):
    """The shape of the first input, where there are two."""
    first = input_shape[0]
    return first if isinstance(first, (list, tuple)) else input_shape
