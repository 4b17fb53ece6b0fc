"""The region proposal network: at every place of a map, boxes that may hold an object.

Papers: S. Ren et al., "Faster R-CNN", 2015, section 3.1,
https://arxiv.org/abs/1506.01497; T. Lin et al., "Feature Pyramid Networks for Object
Detection", 2017, section 4.1 (one network for all levels),
https://arxiv.org/abs/1612.03144

Differs from the papers: one logit of a sigmoid an anchor, not two of a softmax.
"""

import keras
import numpy as np
from keras import layers

from kcv.boxes import anchors
from kcv.layers.proposals import Proposals, level_anchors


def rpn(maps, image_size, levels, filters, proposals, candidates=1000):
    """The network on each map, and the proposals it makes.

    Args:
        maps: list of (batch, height, width, channels), all of the same channels.
        image_size: (height, width) in pixels.
        levels: [(stride, [(width, height), ...]), ...], of each map, with as many
            shapes on each.
        filters: of the 3x3 convolution.
        proposals: how many an image.
        candidates: anchors of highest score that are compared on each map.

    Returns:
        {"proposals": float32 (batch, proposals, 4), x1, y1, x2, y2 in pixels,
        "proposal_scores": float32 (batch, n), logits, "proposal_offsets": float32
        (batch, n, 4)}, n in the order of `rpn_anchors`.
    """
    shapes = len(levels[0][1])
    head = _head(maps[0].shape[-1], filters, shapes)
    answers = [head(x) for x in maps]
    outputs = {}
    for name, shape in (("proposal_scores", (-1,)), ("proposal_offsets", (-1, 4))):
        flat = [
            layers.Reshape(shape, name=f"{name}_{level[0]}")(answer[name])
            for level, answer in zip(levels, answers)
        ]
        join = layers.Concatenate(axis=1, name=name, dtype="float32")
        outputs[name] = join(flat)
    chosen = Proposals(image_size, levels, proposals, candidates, name="proposals")
    best = chosen(outputs["proposal_scores"], outputs["proposal_offsets"])
    return {"proposals": best, **outputs}


def map_levels(stride, sides, ratios=anchors.RATIOS):
    """The levels of one map: every side with every ratio, at each place."""
    return [(stride, anchors.shapes(sides, ratios).tolist())]


def pyramid_levels(numbers, sides, ratios=anchors.RATIOS):
    """The levels of a pyramid: one side each, with every ratio.

    Args:
        numbers: of the levels; level l has the stride 2^l.
        sides: of squares, in pixels, one a level.
        ratios: width / height.

    Raises:
        ValueError: there are not as many sides as levels.
    """
    if len(numbers) != len(sides):
        raise ValueError(
            f"{len(sides)} sides for {len(numbers)} levels: give one side a level"
        )
    return [
        (2**number, anchors.shapes([side], ratios).tolist())
        for number, side in zip(numbers, sides)
    ]


def rpn_anchors(image_size, levels) -> np.ndarray:
    """Anchors in the order of the network's outputs, float32 (n, 4), in pixels."""
    return np.concatenate(level_anchors(image_size, levels))


def _head(channels, filters, shapes):
    """Figure 3, left: a 3x3 convolution, then one 1x1 for scores and one for boxes."""
    maps = keras.Input((None, None, channels), name="maps")
    x = layers.Conv2D(
        filters, 3, padding="same", activation="relu",
        kernel_initializer=small(), name="conv",
    )(maps)  # fmt: skip
    sizes = {"proposal_scores": shapes, "proposal_offsets": 4 * shapes}
    outputs = {
        name: layers.Conv2D(size, 1, kernel_initializer=small(), name=name)(x)
        for name, size in sizes.items()
    }
    return keras.Model(maps, outputs, name="rpn")


def small(deviation=0.01):
    """Section 3.1.3. A new one a layer: an initializer gives the same numbers again."""
    return keras.initializers.RandomNormal(stddev=deviation)
