"""Which anchors or proposals count in a loss, in graphs of fixed shapes.

Papers: S. Ren et al., "Faster R-CNN", 2015, section 3.1.3 (256 anchors, half of them
positive), https://arxiv.org/abs/1506.01497; R. Girshick, "Fast R-CNN", 2015, section
2.3 (a quarter), https://arxiv.org/abs/1504.08083; W. Liu et al., "SSD", 2016, section
2.2 ("Hard negative mining"), https://arxiv.org/abs/1512.02325
"""

from typing import NamedTuple

from keras import ops

from kcv.boxes.matching import BACKGROUND


class Sample(NamedTuple):
    """Chosen anchors, positive ones first.

    Args:
        indices: int32 (batch, count), of anchors; 0 where there were too few.
        positive: bool (batch, count).
        valid: bool (batch, count), False where there were too few.
    """

    indices: object
    positive: object
    valid: object


def sample(objects, random, count, max_positive) -> Sample:
    """Draws positives and fills up with negatives.

    Args:
        objects: int32 (batch, n), of matching.Matches; ignored ones are never drawn.
        random: float (batch, n), in 0..1: the highest are drawn, so that the same
            numbers draw the same.
        count: how many to draw of an image.
        max_positive: how many of them may be positive.

    Returns:
        Sample. Where positives are few there are more negatives, not the other way.

    Raises:
        ValueError: count is larger than n, or max_positive than count.
    """
    number = objects.shape[1]
    if not 0 < max_positive <= count <= number:
        raise ValueError(
            f"{count} of {number} anchors wanted, {max_positive} of them positive: "
            "the numbers must not rise"
        )
    positive, negative = objects >= 0, objects == BACKGROUND
    random = ops.cast(random, "float32")
    drawn = []
    for kind, most in ((positive, max_positive), (negative, count)):
        value, index = ops.top_k(ops.where(kind, random, -1), most)
        drawn.append((value >= 0, ops.cast(index, "int32")))
    (is_positive, _), (is_negative, _) = drawn
    kinds = [2 * ops.cast(is_positive, "int32"), ops.cast(is_negative, "int32")]
    kind, place = ops.top_k(ops.concatenate(kinds, axis=1), count)
    indices = ops.concatenate([index for _, index in drawn], axis=1)
    indices = ops.take_along_axis(indices, ops.cast(place, "int32"), axis=1)
    return Sample(ops.where(kind > 0, indices, 0), kind == 2, kind > 0)


def hard_negatives(losses, objects, ratio=3, at_least=0):
    """The background anchors of highest loss, so many for each positive one.

    Args:
        losses: float (batch, n), of the classes, higher where an anchor is more wrong.
        objects: int32 (batch, n), of matching.Matches.
        ratio: negatives for one positive.
        at_least: negatives of any image; 0 takes none of one without objects.

    Returns:
        bool (batch, n): exactly so many of each image, or all there are. Gradients do
        not pass through the choice.
    """
    losses = ops.stop_gradient(ops.cast(losses, "float32"))
    positives = ops.sum(ops.cast(objects >= 0, "int32"), axis=1, keepdims=True)
    wanted = ops.maximum(ratio * positives, at_least)
    negative = objects == BACKGROUND
    order = ops.argsort(ops.where(negative, -losses, float("inf")), axis=1)
    rank = ops.argsort(order, axis=1)  # of equal losses one is first all the same
    return negative & (ops.cast(rank, "int32") < wanted)
