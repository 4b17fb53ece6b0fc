"""From what a detector answers at its anchors or proposals to boxes with scores.

What a builder's outputs mean is written down in a `Decoding`, once: training, the
export and the device read it. `kcv.edge.detect` answers the same in NumPy.
"""

from typing import NamedTuple

from keras import ops

from kcv.boxes import coding
from kcv.boxes.formats import clip
from kcv.boxes.word_tree import WordTree

SCORES = {
    "softmax": "logits of a softmax, the background first",
    "sigmoid": "logits, for a sigmoid each",
    "objectness": "logits of a softmax without background, times sigmoid(objectness)",
    "confidence": "probabilities of a cell's classes, times its boxes' objectness",
    "tree": "logits of the words of a tree, times sigmoid(objectness)",
}
OFFSETS = {
    "log": "of kcv.boxes.coding.encode",
    "sigmoid": "of kcv.boxes.coding.encode_sigmoid",
    "roots": "of kcv.boxes.coding.encode_roots",
    "regions": "of kcv.boxes.coding.encode, for every class, from the proposals",
}


class Decoding(NamedTuple):
    """How outputs become boxes.

    Args:
        scores: a key of SCORES.
        offsets: a key of OFFSETS.
        anchors: float32 (n, 4), x1, y1, x2, y2 in pixels of the model's image; None
            for "regions".
        image_size: (height, width), pixels.
        variances: of "log" and "regions", what offsets are divided by.
        stride: of "sigmoid", side of a cell in pixels.
        parents: of "tree", as of a WordTree whose words stand after those above them.
        tree_threshold: of "tree", as for `WordTree.answers`: 0 answers with all words
            that have none below them, more with one word, as exact as it is sure.
    """

    scores: str
    offsets: str
    anchors: object
    image_size: tuple[int, int]
    variances: tuple[float, float, float, float] = coding.NO_VARIANCES
    stride: int = 0
    parents: tuple[int, ...] = ()
    tree_threshold: float = 0.0


def decode(decoding: Decoding, outputs):
    """Boxes and the probability of every class, without the background.

    Args:
        decoding: of the model.
        outputs: {"scores": ..., "offsets": (batch, n, 4)[, "objectness": (batch, n)]}
            of the model; of "regions" {"scores": ..., "offsets": (batch, n, classes,
            4), "proposals": (batch, n, 4)}.

    Returns:
        boxes float32 (batch, n, 4), of "regions" (batch, n, classes, 4), x1, y1, x2, y2
        in pixels within the image, and scores float32 (batch, n, classes), 0..1, 0 in
        places without a proposal.
    """
    scores = ops.cast(outputs["scores"], "float32")
    offsets = ops.cast(outputs["offsets"], "float32")
    if decoding.offsets == "regions":
        anchors = ops.cast(outputs["proposals"], "float32")
        there = ops.all(anchors[..., 2:] > anchors[..., :2], axis=-1)
    else:
        anchors = ops.convert_to_tensor(decoding.anchors, "float32")
    if decoding.scores == "softmax":
        scores = ops.softmax(scores)[..., 1:]
    elif decoding.scores == "sigmoid":
        scores = ops.sigmoid(scores)
    else:
        objectness = ops.cast(outputs["objectness"], "float32")[..., None]
        if decoding.scores == "objectness":
            scores = ops.softmax(scores) * ops.sigmoid(objectness)
        elif decoding.scores == "tree":
            tree = WordTree((), tuple(decoding.parents))
            scores = tree.answers(scores, decoding.tree_threshold)
            scores = scores * ops.sigmoid(objectness)
        else:
            boxes_per_cell = objectness.shape[1] // scores.shape[1]
            scores = ops.repeat(scores, boxes_per_cell, axis=1) * objectness
    if decoding.offsets == "log":
        boxes = coding.decode(offsets, anchors, decoding.variances)
    elif decoding.offsets == "regions":
        boxes = coding.decode(offsets, anchors[:, :, None], decoding.variances)
        scores = ops.where(there[..., None], scores, 0)
    elif decoding.offsets == "sigmoid":
        boxes = coding.decode_sigmoid(offsets, anchors, decoding.stride)
    else:
        boxes = coding.decode_roots(offsets, anchors, decoding.image_size)
    return clip(boxes, decoding.image_size), scores
