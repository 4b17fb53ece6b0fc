"""Image classification: labels with probabilities."""

from typing import NamedTuple

import numpy as np

from kcv.edge import preprocess
from kcv.edge.errors import EdgeError
from kcv.edge.image_model import ImageModel


class Prediction(NamedTuple):
    """One class of an answer.

    Args:
        label: class name; the index as text if the file names no classes.
        index: of the class.
        score: probability, 0..1.
    """

    label: str
    index: int
    score: float


class Classifier:
    """Answers what an image shows; made by `kcv.edge.load`.

    Args:
        model: model_file.ModelFile of task "classification".
        threads: CPU threads of one inference.
        xnnpack: False leaves LiteRT's own kernels.
        delegates: paths of delegate libraries.

    Raises:
        EdgeError: the model's tensors are not what its kcv.json says.
    """

    def __init__(self, model, threads=1, xnnpack=True, delegates=()):
        outputs = {"probabilities": 2}
        self.model = model
        self._runner = ImageModel(
            model, "a classifier", outputs, threads, xnnpack, delegates
        )
        self.image_shape = self._runner.image_shape  # (height, width, channels)
        self.classes = self._runner.outputs["probabilities"].shape[-1]
        self.labels = self._runner.labels(self.classes)

    def predict(self, image, top_k: int = 5) -> list[Prediction]:
        """The most probable classes of one image.

        Args:
            image: path, PIL image or uint8 array (h, w[, 1, 3 or 4]) of any size.
            top_k: how many classes, at least 1.

        Returns:
            list of Prediction, most probable first.

        Raises:
            EdgeError: the image cannot be read, or `top_k` is below 1.
        """
        if type(top_k) is not int or top_k < 1:
            raise EdgeError(f"top_k must be an integer of 1 or more, not {top_k!r}")
        pixels = preprocess.to_pixels(image, self.image_shape)
        scores = self.probabilities(pixels[None])[0]
        order = np.argsort(-scores, kind="stable")[:top_k]
        return [Prediction(self.labels[k], int(k), float(scores[k])) for k in order]

    def predict_batch(self, images, top_k: int = 5) -> list[list[Prediction]]:
        """A list with the answer of `predict` for each of several images."""
        return [self.predict(image, top_k) for image in images]

    def probabilities(self, images) -> np.ndarray:
        """All probabilities of images that already have the model's size.

        Args:
            images: (n, height, width, channels); uint8 pixels, or float already
                normalised to the range the model was trained on.

        Returns:
            float32 (n, classes).

        Raises:
            EdgeError: another shape or dtype, or values that are not finite.
        """
        return self._runner.run(images)["probabilities"]
