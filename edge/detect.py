"""Detection: what is in the picture, and where; all of it.

The network answers at its anchors, or at proposals that it makes itself; what its
answers mean stands under "decoding" in kcv.json. Boxes are made of them here, in float,
and suppressed where they overlap.
"""

import base64
import binascii
import zlib
from typing import NamedTuple

import numpy as np

from kcv.edge import boxes, detected, preprocess, words
from kcv.edge.activations import sigmoid, softmax
from kcv.edge.detected import Detected
from kcv.edge.errors import EdgeError
from kcv.edge.image_model import ImageModel

OBJECTNESS = ("objectness", "confidence", "tree")  # kinds of scores with such an output
SCORES = ("softmax", "sigmoid", *OBJECTNESS)
OFFSETS = ("log", "sigmoid", "roots", "regions")
# Dimensions of what a network of proposals gives, and of what it may give.
OF_REGIONS = {"offsets": 4, "proposals": 3, "scores": 3}
MORE_OF_REGIONS = {
    "proposal_scores": 2,
    "proposal_offsets": 3,
    "mask_boxes": 3,
    "masks": 5,
    "keypoints": 5,
}


class Decoding(NamedTuple):
    """What a network's answers mean; see `kcv.boxes.decoding`.

    Args:
        scores: one of SCORES.
        offsets: one of OFFSETS.
        anchors: float32 (n, 4), x1, y1, x2, y2 in pixels of the network's image; none
            for "regions", which lie at the network's proposals.
        image_size: (height, width), pixels.
        variances: what offsets of kind "log" or "regions" are divided by.
        stride: side of a cell, pixels, where there are cells.
        parents: of "tree", the word above each word, see `kcv.edge.words`.
        tree_threshold: of "tree", see `words.answers`.
    """

    scores: str
    offsets: str
    anchors: np.ndarray
    image_size: tuple[int, int]
    variances: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    stride: float = 0
    parents: tuple[int, ...] = ()
    tree_threshold: float = 0.0


class Detector:
    """Answers what an image shows and where; made by `kcv.edge.load`.

    Args:
        model: model_file.ModelFile of task "detection".
        threads: CPU threads of one inference.
        xnnpack: False leaves LiteRT's own kernels.
        delegates: paths of delegate libraries.

    Raises:
        EdgeError: the model's tensors are not what its kcv.json says, or that does not
            say how to decode them.
    """

    def __init__(self, model, threads=1, xnnpack=True, delegates=()):
        self.model = model
        image_size = tuple(model.inputs.get("images", {}).get("shape", ())[1:3])
        self.decoding = read_decoding(model, image_size)
        of_regions = self.decoding.offsets == "regions"
        outputs = {"offsets": 3, "scores": 3}
        if of_regions:
            more = {k: n for k, n in MORE_OF_REGIONS.items() if k in model.outputs}
            outputs = OF_REGIONS | more
        if self.decoding.scores in OBJECTNESS:
            outputs["objectness"] = 2
        self._runner = ImageModel(
            model, "a detector", outputs, threads, xnnpack, delegates
        )
        self.image_shape = self._runner.image_shape  # (height, width, channels)
        count = self._runner.outputs["offsets"].shape[1]
        if not of_regions and len(self.decoding.anchors) != count:
            raise EdgeError(
                f"{model.path}: kcv.json has {len(self.decoding.anchors)} anchors for"
                f" {count} offsets; export it again"
            )
        width = self._runner.outputs["scores"].shape[-1]
        self.classes = width - (self.decoding.scores == "softmax")  # no background
        self.labels = self._runner.labels(self.classes)

    def predict(
        self, image, score_threshold=0.5, iou_threshold=0.5, most=100
    ) -> list[Detected]:
        """Everything in one image.

        Args:
            image: path, PIL image or uint8 array (h, w[, 1, 3 or 4]) of any size.
            score_threshold: only higher scores count, 0..1.
            iou_threshold: of two boxes of one class that overlap more, the one of the
                higher score is kept.
            most: how many things at most.

        Returns:
            list of Detected, by falling score; of a network with masks or keypoints, of
            `detected.Segmented` or `detected.Posed`.

        Raises:
            EdgeError: the image cannot be read.
        """
        image = preprocess.open_image(image, self.image_shape[-1])
        pixels = preprocess.to_pixels(image, self.image_shape)
        outputs = {name: x[0] for name, x in self.outputs(pixels[None]).items()}
        found = decode(self.decoding, outputs)
        chosen = boxes.choose(*found, iou_threshold, score_threshold, most)
        sizes = (image.height, image.width), self.decoding.image_size
        return detected.things(*sizes, self.labels, found, chosen, outputs)

    def predict_batch(self, images, **options) -> list[list[Detected]]:
        """A list with the answer of `predict` for each of several images."""
        return [self.predict(image, **options) for image in images]

    def outputs(self, images) -> dict[str, np.ndarray]:
        """What the network gives for images that already have the model's size.

        Args:
            images: as for `classify.Classifier.probabilities`.

        Returns:
            {"scores": float32 (n, ...), "offsets": ...}, see `decode`.

        Raises:
            EdgeError: another shape or dtype, or values that are not finite.
        """
        return self._runner.run(images)


def decode(decoding: Decoding, outputs):
    """Boxes and the probability of every class, of one image.

    Args:
        decoding: of the model.
        outputs: {"scores": ..., "offsets": (n, 4)[, "objectness": (n,)]}, float; of
            "regions" {"scores": ..., "offsets": (n, classes, 4), "proposals": (n, 4)}.

    Returns:
        boxes float32 (n, 4), of "regions" (n, classes, 4), x1, y1, x2, y2 in pixels
        within the network's image, and scores float32 (n, classes), 0..1, without the
        background.
    """
    scores = np.asarray(outputs["scores"], "float32")
    if decoding.scores == "softmax":
        scores = softmax(scores)[:, 1:]
    elif decoding.scores == "sigmoid":
        scores = sigmoid(scores)
    else:
        objectness = np.asarray(outputs["objectness"], "float32")[:, None]
        if decoding.scores == "objectness":
            scores = softmax(scores) * sigmoid(objectness)
        elif decoding.scores == "tree":
            chosen = words.answers(scores, decoding.parents, decoding.tree_threshold)
            scores = chosen * sigmoid(objectness)
        else:
            scores = np.repeat(scores, len(objectness) // len(scores), axis=0)
            scores = scores * objectness
    offsets, anchors = outputs["offsets"], decoding.anchors
    if decoding.offsets == "log":
        found = boxes.decode(offsets, anchors, decoding.variances)
    elif decoding.offsets == "regions":
        anchors = np.asarray(outputs["proposals"], "float32")
        places = np.repeat(anchors, offsets.shape[1], axis=0)  # one for each class
        found = boxes.decode(offsets.reshape(-1, 4), places, decoding.variances)
        found = found.reshape(offsets.shape)
        there = (anchors[:, 2:] > anchors[:, :2]).all(axis=1)
        scores = np.where(there[:, None], scores, np.float32(0))
    elif decoding.offsets == "sigmoid":
        found = boxes.decode_sigmoid(offsets, anchors, decoding.stride)
    else:
        found = boxes.decode_roots(offsets, anchors, decoding.image_size)
    return boxes.clip(found, decoding.image_size), scores


def to_json(decoding) -> dict:
    """What kcv.json says under "decoding"; `read_decoding` is the inverse.

    Args:
        decoding: a `Decoding`, of this module or of `kcv.boxes.decoding`.
    """
    anchors = () if decoding.anchors is None else decoding.anchors
    anchors = np.asarray(anchors, "<f4")
    tree = {
        "parents": list(decoding.parents),
        "tree_threshold": decoding.tree_threshold,
    }
    return (tree if decoding.scores == "tree" else {}) | {
        "scores": decoding.scores,
        "offsets": decoding.offsets,
        "variances": list(decoding.variances),
        "stride": decoding.stride,
        "anchors": base64.b64encode(zlib.compress(anchors.tobytes(), 9)).decode(),
    }


def read_decoding(model, image_size) -> Decoding:
    """The `Decoding` in a file's kcv.json.

    Args:
        model: model_file.ModelFile.
        image_size: (height, width) of its images.

    Raises:
        EdgeError: there is none that can be used.
    """
    said = model.manifest.get("decoding")
    try:
        anchors = zlib.decompress(base64.b64decode(said["anchors"], validate=True))
        decoding = Decoding(
            said["scores"],
            said["offsets"],
            np.frombuffer(anchors, "<f4").reshape(-1, 4).astype("float32"),
            image_size,
            tuple(float(x) for x in said["variances"]),
            float(said["stride"]),
            tuple(int(x) for x in said.get("parents", ())),
            float(said.get("tree_threshold", 0)),
        )
    except (TypeError, KeyError, ValueError, zlib.error, binascii.Error) as error:
        raise EdgeError(
            f"{model.path}: kcv.json does not say how to decode boxes"
            f" ({type(error).__name__}: {error}); export it again"
        ) from error
    width = [0]  # of a tree, whose words are the scores
    if decoding.scores == "tree":
        width = list(model.outputs.get("scores", {}).get("shape", ()))[-1:]
    usable = (
        decoding.scores in SCORES
        and decoding.offsets in OFFSETS
        and len(decoding.variances) == 4
        and np.isfinite(decoding.anchors).all()
        and np.isfinite((*decoding.variances, decoding.stride)).all()
        and words.are_parents(decoding.parents)
        and 0 <= decoding.tree_threshold <= 1
        and [len(decoding.parents)] == width
    )
    if not usable:
        raise EdgeError(
            f"{model.path}: kcv.json decodes boxes in a way that this kcv does not"
            " know; update kcv on this device or export it again"
        )
    return decoding
