"""From any picture to the model's input, once with Pillow and once with TensorFlow.

Both do the same: the picture as it is meant to be seen (EXIF orientation applied,
transparency on white, 16 bits to 8) in RGB or grey, the whole of it resized to (height,
width) with an antialiased bilinear filter (the aspect is not kept, as in MediaPipe),
rounded to uint8, then (pixel - mean) / std.
"""

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps


def normalization(pixel_range):
    """Returns (mean, std) that bring pixels 0..255 into `pixel_range` (low, high)."""
    low, high = pixel_range
    return -low * 255 / (high - low), 255 / (high - low)


def normalize(images, pixel_range):
    """Brings pixels 0..255 (uint8 or float) into `pixel_range`, float32."""
    mean, std = normalization(pixel_range)
    return (tf.cast(images, tf.float32) - mean) / std


def to_channels(images, channels):
    """Converts (..., h, w, 1 or 3) uint8 to `channels` 1 (grey, BT.601) or 3."""
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        return tf.image.grayscale_to_rgb(images)
    # Pillow's integers; tf.image.rgb_to_grayscale is up to a level darker.
    shares = tf.constant([19595, 38470, 7471])  # 0.299, 0.587, 0.114 times 2 ** 16
    grey = tf.reduce_sum(tf.cast(images, tf.int32) * shares, axis=-1, keepdims=True)
    return tf.cast((grey + 2**15) // 2**16, tf.uint8)


def to_uint8(image):
    """Converts uint8 or uint16 (h, w, 1 to 4) to uint8 (h, w, 1 or 3), no alpha."""
    if image.dtype == tf.uint16:
        image = tf.cast(tf.round(tf.cast(image, tf.float32) / 257), tf.uint8)
    if image.shape[-1] in (1, 3):
        return image
    pixels = tf.cast(image, tf.float32)
    # What is transparent shows white.
    colour, alpha = pixels[..., :-1], pixels[..., -1:] / 255
    return tf.cast(tf.round(colour * alpha + 255 * (1 - alpha)), tf.uint8)


def resize(image, size):
    """Resizes uint8 (h, w, c) to uint8 (*size, c), antialiased bilinear, rounded."""
    if image.shape[:2] == tuple(size):
        return image
    image = tf.image.resize(image, size, antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)


def resize_fast(image, size):
    """Resizes like `resize`; takes the mean of an area, in half the time, to shrink."""
    if image.shape[:2] == tuple(size):
        return image
    image = tf.cond(
        tf.reduce_all(tf.shape(image)[:2] >= size),
        lambda: tf.image.resize(image, size, method="area"),
        lambda: tf.image.resize(image, size, antialias=True),
    )
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)


def crop(image, box):
    """Cuts box (y, x, height, width), fractions, out of (h, w, c); at least a pixel."""
    size = tf.cast(tf.shape(image)[:2], tf.float64)
    start = tf.cast(tf.round(box[:2] * size), tf.int32)
    stop = tf.cast(tf.round((box[:2] + box[2:]) * size), tf.int32)
    start = tf.minimum(start, tf.shape(image)[:2] - 1)
    stop = tf.maximum(stop, start + 1)
    return image[start[0] : stop[0], start[1] : stop[1]]


def pillow_upright(image):
    """Turns any Pillow image into mode "RGB" or "L" (if it has no colour), upright.

    The orientation of its EXIF data is applied, transparent parts show white, palettes
    are looked up, CMYK becomes RGB, 16-bit grey is divided by 257. Of an animation the
    first frame counts.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        # Pillow gives 16-bit grey as I;16 (PNG, TIFF) or I; its convert("L") clips.
        pixels = np.asarray(image, np.float64)
        if image.mode != "F":
            pixels = pixels / 257
        return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def pillow_preprocess(image, image_shape):
    """Does with Pillow what the pipeline does: any image to uint8 `image_shape`.

    Args:
        image: Pillow image.
        image_shape: (height, width, channels), channels 1 or 3.

    Returns:
        uint8 array of `image_shape`.
    """
    height, width, channels = image_shape
    image = pillow_upright(image).convert("RGB" if channels == 3 else "L")
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(image_shape)
