"""What every task's object is made of: an interpreter whose tensors are what they say.

A model takes one image and gives tensors by name; they are checked here against
kcv.json once, and images are turned into what the model takes.
"""

import numpy as np

from kcv.edge import preprocess
from kcv.edge.errors import EdgeError
from kcv.edge.interpreter import Interpreter, dequantize, quantize


class ImageModel:
    """Runs a model of one image.

    Args:
        model: model_file.ModelFile.
        kind: what it is, for errors, such as "a classifier".
        outputs: {name: number of dimensions}, all that the model gives.
        threads: CPU threads of one inference.
        xnnpack: False leaves LiteRT's own kernels.
        delegates: paths of delegate libraries.

    Raises:
        EdgeError: the model's tensors are not what its kcv.json says.
    """

    def __init__(self, model, kind, outputs, threads=1, xnnpack=True, delegates=()):
        self.model = model
        self.interpreter = Interpreter(
            model.flatbuffer, model.path, threads, xnnpack, delegates
        )
        given, described = self.interpreter.inputs, model.inputs
        self.input = checked(model, kind, given, described, {"images": 4})["images"]
        given, described = self.interpreter.outputs, model.outputs
        self.outputs = checked(model, kind, given, described, outputs)
        self.image_shape = self.input.shape[1:]  # (height, width, channels)
        channels = self.image_shape[-1]
        if channels not in (1, 3):
            raise EdgeError(f"{model.path}: takes {channels} channels, not 1 or 3")
        for name in ("mean", "std"):
            if len(getattr(model, name)) not in (1, channels):
                raise EdgeError(
                    f"{model.path}: kcv.json has {len(getattr(model, name))} values of"
                    f" {name} for {channels} channels; export it again"
                )

    def labels(self, classes: int) -> tuple[str, ...]:
        """The names of the classes; numbers where kcv.json has none.

        Raises:
            EdgeError: there are others than `classes` labels.
        """
        labels = self.model.labels or tuple(str(k) for k in range(classes))
        if len(labels) != classes:
            raise EdgeError(
                f"{self.model.path}: kcv.json has {len(labels)} labels for"
                f" {classes} classes; export it again"
            )
        return labels

    def run(self, images) -> dict[str, np.ndarray]:
        """All outputs for images that already have the model's size.

        Args:
            images: (n, height, width, channels); uint8 pixels, or float already
                normalised to the range the model was trained on.

        Returns:
            {name: float32 (n, ...)}.

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
            mean, std = self.model.mean, self.model.std
            tensors = preprocess.to_tensor(images, mean, std, self.input)
        elif images.dtype.kind == "f":
            if not np.isfinite(images).all():
                raise EdgeError("images hold values that are not finite")
            tensors = quantize(images, self.input)
        else:
            raise EdgeError(f"images are uint8 or float, not {images.dtype}")
        found = {
            name: np.empty((len(images), *tensor.shape[1:]), "float32")
            for name, tensor in self.outputs.items()
        }
        for k in range(len(images)):
            given = self.interpreter.run({"images": tensors[k : k + 1]})
            for name, tensor in self.outputs.items():
                found[name][k] = dequantize(given[name], tensor)[0]
        return found


def checked(model, kind, tensors, described, ranks):
    """{name: Tensor}, checked against the names and forms that kcv.json gives.

    Args:
        model: model_file.ModelFile.
        kind: what has the tensors, for errors.
        tensors: {name: Tensor}, inputs or outputs.
        described: what kcv.json says of them.
        ranks: {name: number of dimensions}.

    Raises:
        EdgeError: they are not what kcv.json says.
    """
    if sorted(tensors) != sorted(ranks) or sorted(described) != sorted(ranks):
        wanted = " and ".join(repr(name) for name in ranks)
        what = (
            f"the one tensor {wanted}" if len(ranks) == 1 else f"the tensors {wanted}"
        )
        raise EdgeError(
            f"{model.path}: {kind} has {what}, not"
            f" {sorted(tensors)} (kcv.json: {sorted(described)}); export it again"
        )
    for name, rank in ranks.items():
        tensor = tensors[name]
        found = (list(tensor.shape), tensor.dtype.name)
        if found != (described[name]["shape"], described[name]["dtype"]):
            raise EdgeError(
                f"{model.path}: {name!r} is {found}, kcv.json says {described[name]};"
                " export it again"
            )
        if len(tensor.shape) != rank or tensor.shape[0] != 1 or 0 in tensor.shape:
            raise EdgeError(
                f"{model.path}: {name!r} has shape {tensor.shape}, not batch 1"
            )
    return {name: tensors[name] for name in ranks}
