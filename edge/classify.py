"""Image classification: labels with probabilities."""

from typing import NamedTuple

import numpy as np

from kcv.edge import preprocess
from kcv.edge.errors import EdgeError
from kcv.edge.interpreter import Interpreter, dequantize, quantize


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
        self.model = model
        self._interpreter = Interpreter(
            model.flatbuffer, model.path, threads, xnnpack, delegates
        )
        self._input = _only(model, self._interpreter.inputs, model.inputs, "images", 4)
        self._output = _only(
            model, self._interpreter.outputs, model.outputs, "probabilities", 2
        )
        self.image_shape = self._input.shape[1:]  # (height, width, channels)
        self.classes = self._output.shape[-1]
        channels = self.image_shape[-1]
        if channels not in (1, 3):
            raise EdgeError(f"{model.path}: takes {channels} channels, not 1 or 3")
        for name in ("mean", "std"):
            if len(getattr(model, name)) not in (1, channels):
                raise EdgeError(
                    f"{model.path}: kcv.json has {len(getattr(model, name))} values of"
                    f" {name} for {channels} channels; export it again"
                )
        self.labels = model.labels or tuple(str(k) for k in range(self.classes))
        if len(self.labels) != self.classes:
            raise EdgeError(
                f"{model.path}: kcv.json has {len(self.labels)} labels for"
                f" {self.classes} classes; export it again"
            )

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
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[1:] != self.image_shape:
            raise EdgeError(
                f"{self.model.path}: takes images of shape (n,"
                f" {', '.join(map(str, self.image_shape))}), not {images.shape};"
                " predict() resizes"
            )
        if images.dtype == np.uint8:
            tensors = preprocess.to_tensor(
                images, self.model.mean, self.model.std, self._input
            )
        elif images.dtype.kind == "f":
            if not np.isfinite(images).all():
                raise EdgeError("images hold values that are not finite")
            tensors = quantize(images, self._input)
        else:
            raise EdgeError(f"images are uint8 or float, not {images.dtype}")
        scores = np.empty((len(images), self.classes), "float32")
        for k in range(len(images)):
            outputs = self._interpreter.run({"images": tensors[k : k + 1]})
            scores[k] = dequantize(outputs["probabilities"], self._output)[0]
        return scores


def _only(model, tensors, described, name, rank):
    """The one tensor there is, checked against the name and form kcv.json gives it."""
    if list(tensors) != [name] or list(described) != [name]:
        raise EdgeError(
            f"{model.path}: a classifier has the one tensor {name!r}, not"
            f" {sorted(tensors)} (kcv.json: {sorted(described)}); export it again"
        )
    tensor = tensors[name]
    found = (list(tensor.shape), tensor.dtype.name)
    if found != (described[name]["shape"], described[name]["dtype"]):
        raise EdgeError(
            f"{model.path}: {name!r} is {found}, kcv.json says {described[name]};"
            " export it again"
        )
    if len(tensor.shape) != rank or tensor.shape[0] != 1 or 0 in tensor.shape:
        raise EdgeError(f"{model.path}: {name!r} has shape {tensor.shape}, not batch 1")
    return tensor
