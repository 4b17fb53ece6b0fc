"""SDS: what two pathways say of a region proposal, of its box and of its pixels.

Paper: B. Hariharan, P. Arbelaez, R. Girshick, J. Malik, "Simultaneous Detection and
Segmentation", 2014, https://arxiv.org/abs/1407.1808

This is network C, whose pathways are trained jointly. Differs from the paper: the
softmax of the fine-tuning gives the scores, not support vector machines that are
trained after it; the logistic regressions of the coarse masks are layers of the graph
and are trained with it. The mean colour that stands for the background is grey.
"""

import keras
from keras import layers

from kcv.models.detection.rcnn import SMALLEST_IMAGE, rcnn_features
from kcv.models.image_input import image_input

GRID = 10  # cells along each side of a coarse mask


def sds(
    input_shape=(227, 227, 3), classes=20, weights=None, body="alexnet", alpha=1.0,
    units=4096, dropout=0.5, grid=GRID,
):  # fmt: skip
    """Builds what is run on every region at test time.

    Args:
        input_shape: (height, width, channels) of a warped region, see
            `kcv.classic.region_crops`.
        classes: number of classes, without the background.
        weights: None or the path of a `.weights.h5` or `.keras` file of this model.
        body: of each pathway, a key of `kcv.models.detection.rcnn.BODIES`.
        alpha: width multiplier of the bodies.
        units: of each of the two hidden dense layers, fc6 and fc7, of a pathway.
        dropout: share of them dropped while training.
        grid: cells along each side of a coarse mask.

    Returns:
        A model from {"images": float32 (batch, height, width, channels) in [-1, 1], the
        boxes, "regions": likewise, with the background grey, "grids": float32 (batch,
        grid, grid), the share of a cell of the box that the region covers} to
        {"scores": float32 (batch, 1 + classes), logits of a softmax, the background
        first, "masks": float32 (batch, grid, grid, classes), logits of a sigmoid: where
        in the box an object of each class is}.

    Raises:
        ValueError: no such body, an image too small for it, or a grid without cells.

    Parameters at the defaults: 130,494,501.
    """
    if grid < 1:
        raise ValueError(f"grid={grid} must be 1 or more cells")
    images = image_input(input_shape, SMALLEST_IMAGE.get(body, 32))
    regions = keras.Input(images.shape[1:], name="regions")
    grids = keras.Input((grid, grid), name="grids")
    options = (body, alpha, units, dropout)
    features = layers.Concatenate(name="features")(
        [
            _pathway(input_shape, "box_pathway", *options)(images),
            _pathway(input_shape, "region_pathway", *options)(regions),
        ]
    )
    x = layers.Dropout(dropout, name="fc7_dropout")(features)
    scores = layers.Dense(1 + classes, dtype="float32", name="scores")(x)
    # Section 3.4: from the features and the region's own mask.
    x = layers.Concatenate(name="evidence")(
        [x, layers.Flatten(name="flat_grids")(grids)]
    )
    masks = layers.Dense(grid * grid * classes, dtype="float32", name="mask_logits")(x)
    masks = layers.Reshape((grid, grid, classes), name="masks", dtype="float32")(masks)
    inputs = {"images": images, "regions": regions, "grids": grids}
    model = keras.Model(inputs, {"scores": scores, "masks": masks}, name="sds")
    if weights is not None:
        model.load_weights(weights)
    return model


def _pathway(input_shape, name, body, alpha, units, dropout):
    """R-CNN's network up to fc7, with weights of its own."""
    images = keras.Input(input_shape, name="images")
    with keras.name_scope(name):  # weights of both pathways have paths of their own
        features = rcnn_features(images, body, alpha, units, dropout)
    return keras.Model(images, features["fc7"], name=name)
