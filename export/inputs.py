"""Checks and gathers what `convert` is given."""

from typing import NamedTuple

import keras
import numpy as np

from kcv.export.deviation import BOUNDS
from kcv.export.tflite import all_layers


def io_type(mode: str, io: str | None) -> str:
    """Returns the type of a file's input and outputs, after checking both names."""
    if mode not in BOUNDS:
        raise ValueError(f"no quantization {mode!r}; known: {', '.join(BOUNDS)}")
    known = ("uint8", "int8", "float32") if mode == "int8" else ("float32",)
    io = io or known[0]
    if io not in known:
        raise ValueError(f"io {io!r} of a {mode} file; possible: {', '.join(known)}")
    return io


def image_shape(model) -> tuple[int, int, int]:
    """Returns (height, width, channels) of the one image that the model takes."""
    shapes = [tuple(x.shape) for x in getattr(model, "inputs", None) or []]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise ValueError(f"the model must have one image input, got shapes {shapes}")
    shape = shapes[0][1:]
    if None in shape:
        raise ValueError(f"input of open size {shape}; build with a fixed input_shape")
    return shape


def check_model(model) -> None:
    """Refuses models of mixed precision, which no file equals, or of other backends."""
    backend = keras.backend.backend()
    if isinstance(model, keras.Model) and backend != "tensorflow":
        raise ValueError(
            f"export needs TensorFlow, Keras runs on {backend}: save the model and "
            "load it with KERAS_BACKEND=tensorflow"
        )
    for layer in all_layers(model):
        if layer.compute_dtype not in ("float32", None):
            raise ValueError(
                f"layer {layer.name!r} computes in {layer.compute_dtype}; build the "
                "model in float32 and copy the weights"
            )


def check_labels(labels, model, background: bool = False) -> None:
    """Checks that there is one label, of one line, for each class.

    Args:
        labels: names of the classes.
        model: with an output as wide as there are classes.
        background: whether an output may have one class more.
    """
    for label in labels:
        if not label or "\n" in label or "\r" in label:
            raise ValueError(f"label {label!r} is not one line of text")
    widths = [output.shape[-1] for output in model.outputs]
    if background:
        widths += [width - 1 for width in widths]
    if labels and len(labels) not in widths:
        classes = " or ".join(str(width) for width in widths)
        raise ValueError(f"{len(labels)} labels for {classes} classes")


def mean_and_std(normalization: tuple, channels: int) -> list[np.ndarray]:
    """Returns mean and std as arrays of one value, or one for each channel."""
    values = [np.atleast_1d(np.asarray(x, np.float64)) for x in normalization]
    if len(values) != 2 or any(x.shape not in ((1,), (channels,)) for x in values):
        raise ValueError(
            f"normalization must be (mean, std), numbers or {channels} each, got "
            f"{normalization}"
        )
    return values


class Given(NamedTuple):
    """What a model is exported with, checked."""

    shape: tuple[int, int, int]  # of an image
    normalization: list[np.ndarray]  # mean and std
    calibration: np.ndarray | None
    probes: np.ndarray


def gather(model, mode, calibration, probes, labels, normalization, task) -> Given:
    """Checks what `convert` is given beside the path, and gathers the images.

    Raises:
        ValueError: an argument is wrong.
    """
    shape = image_shape(model)
    check_model(model)
    check_labels(labels, model, background=task == "detection")
    known = mean_and_std(normalization, shape[-1])
    calibration = gather_images("calibration", calibration, shape, *known)
    probes = gather_images("probes", probes, shape, *known)
    probes = calibration if probes is None else probes
    if probes is None:
        raise ValueError("no real images to compare on: give `probes` or `calibration`")
    if mode in ("int8", "int16x8") and calibration is None and not learned(model):
        raise ValueError(f"{mode} needs `calibration`: about 200 real images")
    return Given(shape, known, calibration, probes)


def learned(model) -> bool:
    """Whether tfmot has wrapped the layers, which tell the converter their ranges."""
    return any(type(layer).__name__.startswith("Quantize") for layer in model.layers)


def gather_images(name: str, images, shape: tuple, mean, std) -> np.ndarray | None:
    """Gathers images or batches into one array, and checks shape and range.

    Args:
        name: of the argument, for messages.
        images: array (n, *shape), or an iterable of images or batches; None passes.
        shape: (height, width, channels).
        mean: of the normalization.
        std: of the normalization.

    Returns:
        float32 (n, *shape).
    """
    if images is None:
        return None
    if not isinstance(images, np.ndarray):
        parts = [np.asarray(x, np.float32) for x in images]
        parts = [x if x.ndim == 4 else x[None] for x in parts]
        images = np.concatenate(parts) if parts else np.zeros((0, *shape), np.float32)
    images = np.ascontiguousarray(images, np.float32)
    if images.shape[1:] != shape or not len(images):
        raise ValueError(f"{name} must have shape (n, *{shape}), got {images.shape}")
    low, high = np.min((0 - mean) / std), np.max((255 - mean) / std)
    slack = (high - low) / 255
    if not (low - slack <= images.min() and images.max() <= high + slack):
        raise ValueError(
            f"{name} spans [{images.min():.4g}, {images.max():.4g}], beyond the pixel "
            f"range [{low:.4g}, {high:.4g}] that `normalization` states"
        )
    return images


def with_both_ends(given: Given) -> np.ndarray | None:
    """The calibration, with both ends of the pixel range in its first image's corners.

    The input's scale is then that of the pixels, not that of the darkest and brightest
    pixel seen; two pixels of one image change no other range noticeably.
    """
    if given.calibration is None:
        return None
    images, (mean, std) = given.calibration.copy(), given.normalization
    images[0, 0, 0], images[0, -1, -1] = (0 - mean) / std, (255 - mean) / std
    return images
