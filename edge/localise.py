"""Classification and localisation: what is in the picture, and where."""

from typing import NamedTuple

import numpy as np

from kcv.edge import preprocess
from kcv.edge.image_model import ImageModel


class Located(NamedTuple):
    """The one thing of an answer.

    Args:
        label: class name; the index as text if the file names no classes.
        index: of the class.
        score: probability of the class, 0..1.
        box: x1, y1, x2, y2 in pixels of the given image, upright and within it.
    """

    label: str
    index: int
    score: float
    box: tuple[float, float, float, float]


class Localiser:
    """Answers what an image shows and where; made by `kcv.edge.load`.

    Args:
        model: model_file.ModelFile of task "localisation".
        threads: CPU threads of one inference.
        xnnpack: False leaves LiteRT's own kernels.
        delegates: paths of delegate libraries.

    Raises:
        EdgeError: the model's tensors are not what its kcv.json says.
    """

    def __init__(self, model, threads=1, xnnpack=True, delegates=()):
        outputs = {"boxes": 2, "probabilities": 2}
        self.model = model
        self._runner = ImageModel(
            model, "a localiser", outputs, threads, xnnpack, delegates
        )
        self.image_shape = self._runner.image_shape  # (height, width, channels)
        self.classes = self._runner.outputs["probabilities"].shape[-1]
        self.labels = self._runner.labels(self.classes)

    def predict(self, image) -> Located:
        """The class and the box of one image.

        Args:
            image: path, PIL image or uint8 array (h, w[, 1, 3 or 4]) of any size.

        Returns:
            Located.

        Raises:
            EdgeError: the image cannot be read.
        """
        image = preprocess.open_image(image, self.image_shape[-1])
        pixels = preprocess.to_pixels(image, self.image_shape)
        found = self.outputs(pixels[None])
        scores = found["probabilities"][0]
        best = int(scores.argmax())
        height, width, _ = self.image_shape
        sides = np.array([image.width, image.height] * 2)  # of the given image
        box = found["boxes"][0] / (width, height, width, height) * sides
        # A regression knows no borders.
        box = np.clip(box, 0, sides).tolist()
        return Located(self.labels[best], best, float(scores[best]), tuple(box))

    def predict_batch(self, images) -> list[Located]:
        """A list with the answer of `predict` for each of several images."""
        return [self.predict(image) for image in images]

    def outputs(self, images) -> dict[str, np.ndarray]:
        """What the network gives for images that already have the model's size.

        Args:
            images: as for `classify.Classifier.probabilities`.

        Returns:
            {"boxes": float32 (n, 4), x1, y1, x2, y2 in pixels of these images,
            "probabilities": float32 (n, classes)}.

        Raises:
            EdgeError: another shape or dtype, or values that are not finite.
        """
        return self._runner.run(images)
