"""From any picture to the tensor a model takes.

The same everywhere in kcv: upright by its EXIF orientation, RGB or grey as the model
has channels, the whole image resized by an antialiased bilinear filter without regard
to its aspect ratio, 8 bits, then (pixel - mean) / std.
"""

import os

import numpy as np
from PIL import Image, ImageOps

from kcv.edge.errors import EdgeError
from kcv.edge.interpreter import Tensor, quantize


def open_image(
    image: str | os.PathLike | Image.Image | np.ndarray, channels: int = 3
) -> Image.Image:
    """Decodes an image at its own size.

    Args:
        image: path, PIL image, or uint8 array (h, w), (h, w, 1), (h, w, 3) RGB or
            (h, w, 4) RGB with alpha.
        channels: 3 for RGB, 1 for grey. Transparent parts show white, 16-bit grey is
            divided by 257, of an animation the first frame counts.

    Returns:
        PIL image of mode "RGB" or "L", upright.

    Raises:
        EdgeError: it is no image that can be read.
    """
    name = "image"
    if isinstance(image, (str, os.PathLike)):
        name = os.fspath(image)
    elif isinstance(image, np.ndarray):
        image = _from_array(image)
    elif not isinstance(image, Image.Image):
        raise EdgeError(
            f"an image is a path, a PIL image or a uint8 array, not {type(image)}"
        )
    try:
        if not isinstance(image, Image.Image):
            with Image.open(image) as file:
                return _convert(ImageOps.exif_transpose(file), channels)
        return _convert(ImageOps.exif_transpose(image), channels)
    except EdgeError as error:
        raise EdgeError(f"{name}: {error}") from error
    except FileNotFoundError as error:
        raise EdgeError(f"{name}: no such file; check the path") from error
    except IsADirectoryError as error:
        raise EdgeError(f"{name}: is a folder; name an image in it") from error
    except Exception as error:  # decoders of damaged files raise a dozen kinds
        raise EdgeError(
            f"{name}: cannot be read as an image ({type(error).__name__}: {error});"
            " check that it is a whole JPEG, PNG, BMP, GIF, WebP or TIFF"
        ) from error


def to_pixels(image, shape: tuple[int, int, int]) -> np.ndarray:
    """An image resized to a model's input.

    Args:
        image: as for `open_image`.
        shape: (height, width, channels).

    Returns:
        uint8 (height, width, channels).
    """
    height, width, channels = shape
    image = open_image(image, channels)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(shape)


def to_tensor(pixels, mean, std, tensor: Tensor) -> np.ndarray:
    """Pixels to what a model's input takes.

    A quantized input usually maps pixel to level one to one, up to half a level that
    belongs to the rounding of its zero point: then pixels are fed straight, as
    MediaPipe does, not rounded to one neighbour or the other.

    Args:
        pixels: uint8 (n, h, w, c).
        mean: of (pixel - mean) / std; one value or one a channel.
        std: likewise.
        tensor: of the input.

    Returns:
        (n, h, w, c) of the tensor's dtype.
    """
    mean, std = np.asarray(mean, "float32"), np.asarray(std, "float32")
    if feeds_straight(mean, std, tensor):
        lowest = np.iinfo(tensor.dtype).min  # 0 or -128
        return pixels if lowest == 0 else (pixels ^ 128).view("int8")
    return quantize((pixels - mean) / std, tensor)


def feeds_straight(mean, std, tensor: Tensor) -> bool:
    """Whether pixel p is level p of a uint8, or level p - 128 of an int8 input."""
    if not tensor.scale or tensor.dtype.itemsize > 1:
        return False
    ends = np.array(
        [[0.0], [255.0]]
    )  # the error is linear in p: its ends are its worst
    levels = (ends - mean) / std / tensor.scale + tensor.zero_point
    return np.abs(levels - ends - np.iinfo(tensor.dtype).min).max() <= 0.5 + 1e-3


def _from_array(array):
    if array.dtype != np.uint8:
        raise EdgeError(
            f"an image array is uint8 with levels 0..255, not {array.dtype}; convert it"
            " with np.uint8, from 0..1 after * 255"
        )
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.size == 0 or not (
        array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (3, 4))
    ):
        raise EdgeError(
            "an image array is (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), not"
            f" {array.shape}; pass images of a batch one by one"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def _convert(image, channels):
    if image.mode.startswith("I") or image.mode == "F":
        # 16-bit grey comes as "I;16" or "I", which convert("L") would clip.
        levels = np.asarray(image, "float64")
        if image.mode != "F":
            levels = levels / 257
        image = Image.fromarray(np.clip(np.rint(levels), 0, 255).astype("uint8"))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    image = image.convert("RGB")
    return image if channels == 3 else image.convert("L")
