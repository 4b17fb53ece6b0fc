"""Verification: do two pictures show the same person or thing?"""

from typing import NamedTuple

import numpy as np

from kcv.edge import preprocess
from kcv.edge.errors import EdgeError
from kcv.edge.image_model import ImageModel


class Verification(NamedTuple):
    """An answer about two pictures.

    Args:
        same: whether the similarity is at least the threshold.
        similarity: cosine of the two embeddings, -1..1.
        threshold: that was used.
    """

    same: bool
    similarity: float
    threshold: float


class Verifier:
    """Compares pictures by their embeddings; made by `kcv.edge.load`.

    Args:
        model: model_file.ModelFile of task "verification". The "decoding" of its
            kcv.json has the threshold, at which validation pairs had equal errors.
        threads: CPU threads of one inference.
        xnnpack: False leaves LiteRT's own kernels.
        delegates: paths of delegate libraries.

    Raises:
        EdgeError: the model's tensors are not what its kcv.json says, or that has no
            threshold.
    """

    def __init__(self, model, threads=1, xnnpack=True, delegates=()):
        self.model = model
        self._runner = ImageModel(
            model, "a verifier", {"embeddings": 2}, threads, xnnpack, delegates
        )
        self.image_shape = self._runner.image_shape  # (height, width, channels)
        self.threshold = self._threshold(model)

    def embed(self, image) -> np.ndarray:
        """What stands for one image.

        Args:
            image: path, PIL image or uint8 array (h, w[, 1, 3 or 4]) of any size.

        Returns:
            float32 (width,) of length 1: the dot product of two is their similarity.

        Raises:
            EdgeError: the image cannot be read.
        """
        pixels = preprocess.to_pixels(image, self.image_shape)
        return self.embeddings(pixels[None])[0]

    def embeddings(self, images) -> np.ndarray:
        """The embeddings of images that already have the model's size.

        Args:
            images: as for `classify.Classifier.probabilities`.

        Returns:
            float32 (n, width), each of length 1; 8-bit files round it off a little, and
            here it is restored.

        Raises:
            EdgeError: another shape or dtype, or values that are not finite.
        """
        vectors = self._runner.run(images)["embeddings"]
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(lengths, 1e-12)

    def same(self, image, other, threshold: float | None = None) -> Verification:
        """Compares two images; either may be an embedding that `embed` gave.

        Args:
            image: as for `embed`, or float (width,), an embedding kept from before.
            other: likewise.
            threshold: similarity from which they count as of the same, -1..1; default:
                the file's.

        Returns:
            Verification.

        Raises:
            EdgeError: an image cannot be read, an embedding is of another network, or
                the threshold is no cosine.
        """
        threshold = self.threshold if threshold is None else threshold
        if not _is_cosine(threshold):
            raise EdgeError(f"threshold must be within -1..1, not {threshold!r}")
        similarity = float(np.dot(self._vector(image), self._vector(other)))
        return Verification(similarity >= threshold, similarity, float(threshold))

    def _vector(self, image):
        if not (isinstance(image, np.ndarray) and image.dtype.kind == "f"):
            return self.embed(image)
        width = self._runner.outputs["embeddings"].shape[-1]
        if image.shape != (width,) or not np.isfinite(image).all():
            raise EdgeError(
                f"{self.model.path}: an embedding is {width} finite numbers, not an"
                f" array {image.shape}; embed the image with this file"
            )
        return image

    def _threshold(self, model):
        decoding = model.manifest.get("decoding")
        found = decoding.get("threshold") if isinstance(decoding, dict) else None
        if not _is_cosine(found):
            raise EdgeError(
                f"{model.path}: kcv.json has no usable 'decoding.threshold': "
                f"{str(found)[:60]}; export it again"
            )
        return float(found)


def _is_cosine(value):
    return type(value) in (int, float) and -1 <= value <= 1
