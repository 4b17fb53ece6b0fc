"""Random changes of training images that neither replicas nor restarts alter.

An image's random numbers are a hash of (seed, epoch, position in the epoch). Each image
is changed by one function of the image alone that XLA compiles once: all geometry is
one affine bilinear resampling, all colour one affine map of the colour vector. The
resampling, compiled, takes a quarter of the time of ImageProjectiveTransformV3.
"""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kcv.data import random_numbers
from kcv.data.resampling import resample

_GREY = (0.299, 0.587, 0.114)  # BT.601 luma
_FILLS = ("reflect", "nearest", "constant")


class Augment(NamedTuple):
    """What may happen to a training image; 0 is off.

    Parameters:
        flip: True mirrors every second image left to right.
        rotate: Largest angle, degrees, both ways.
        zoom: 0.2 scales by a factor in [0.8, 1.2].
        shear: Largest horizontal shear, degrees, both ways.
        translate: Largest shift, fraction of width and of height.
        fill: What shows beyond the border: "reflect", "nearest" or "constant" (black).
        brightness: 0.4 multiplies by a factor in [0.6, 1.4].
        contrast: 0.4 mixes with the image's mean grey by a factor in [0.6, 1.4].
        saturation: 0.4 mixes with the grey image by a factor in [0.6, 1.4].
        hue: Largest turn of the colour circle, fraction of a full turn, up to 0.5.
        crop_scale: Smallest area of a random crop, fraction of the image, such as 0.08;
            its aspect is up to 4:3 off that of the image. Cropped before resizing.
        cutout: Side of a grey square, fraction of the image's side (DeVries 2017).
        mixup: Alpha of mixup's Beta distribution (Zhang 2017), such as 0.2.
        cutmix: Alpha of CutMix's (Yun 2019), such as 1. With both, a coin decides.

    mixup and cutmix blend rows 2i and 2i+1 of a global batch (the batch is shuffled
    anyway); the odd last row stays as it is. The batch then has "labels_b" and "mix":
    the loss is mix * loss(labels) + (1 - mix) * loss(labels_b).
    """

    flip: bool = False
    rotate: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    translate: float = 0.0
    fill: str = "reflect"
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    crop_scale: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    @property
    def resamples(self):
        """Whether pixels move other than by a flip."""
        return any((self.rotate, self.zoom, self.shear, self.translate))

    @property
    def recolours(self):
        """Whether colours change."""
        return any((self.brightness, self.contrast, self.saturation, self.hue))

    @property
    def mixes(self):
        """Whether two images and their labels are blended."""
        return self.mixup > 0 or self.cutmix > 0


_LARGEST = {
    **{"flip": 1, "rotate": 180, "zoom": 0.9, "shear": 60, "translate": 1},
    **{"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0.5},
    **{"crop_scale": 1, "cutout": 1, "mixup": 100, "cutmix": 100},
}


def check(augment):
    """Raises ValueError for an `Augment` with a value outside its range."""
    for name, largest in _LARGEST.items():
        value = getattr(augment, name)
        if not 0 <= value <= largest:
            raise ValueError(f"augment {name}={value} is not within 0..{largest}")
    if augment.fill not in _FILLS:
        raise ValueError(f"augment fill={augment.fill!r} is not one of {_FILLS}")


def random_crop(augment, random):
    """Returns float64 (4,): y, x, height, width of a crop as fractions of the image."""
    area = augment.crop_scale + (1 - augment.crop_scale) * random["crop_area"]
    aspect = tf.exp(np.log(4 / 3) * _signed(random["crop_aspect"]))
    height = tf.minimum(tf.sqrt(area / aspect), 1)
    width = tf.minimum(tf.sqrt(area * aspect), 1)
    y, x = random["crop_y"] * (1 - height), random["crop_x"] * (1 - width)
    return tf.stack([y, x, height, width])


@functools.cache
def image_changer(augment, image_shape):
    """Returns the compiled function (image, position, key) -> uint8 `image_shape`.

    Kept between epochs, since compiling takes about a second.

    Args:
        augment: `Augment`; mixup, cutmix and crop_scale are not this function's.
        image_shape: (height, width, 1 or 3).

    Returns:
        None if nothing is to be done to an image.
    """
    if not (augment.flip or augment.resamples or augment.recolours or augment.cutout):
        return None

    @tf.function(
        jit_compile=True,
        input_signature=(
            tf.TensorSpec(image_shape, tf.uint8),
            tf.TensorSpec((), tf.int64),
            tf.TensorSpec((2,), tf.uint32),
        ),
    )
    def change(image, position, key):
        image = change_image(augment, image, random_numbers.uniforms(key, position))
        return tf.cast(tf.round(tf.cast(image, tf.float32)), tf.uint8)

    return change


def change_image(augment, image, random):
    """Changes one image as its random numbers say.

    Args:
        augment: `Augment`.
        image: uint8 (h, w, 1 or 3).
        random: From `random_numbers.uniforms`, scalars.

    Returns:
        uint8 or float32 (h, w, c), within 0..255.
    """
    if augment.resamples:
        transform = affine_transform(augment, random, *image.shape[:2])
        image = resample(image, transform, augment.fill)
    elif augment.flip:
        image = tf.where(random["flip"] < 0.5, tf.reverse(image, [1]), image)
    if augment.recolours:
        image = recolour(augment, tf.cast(image, tf.float32), random)
    if augment.cutout:
        box = box_mask(
            image.shape, random["cutout_y"], random["cutout_x"], augment.cutout
        )
        image = tf.where(box, tf.cast(128, image.dtype), image)
    return image


def affine_transform(augment, random, height, width):
    """Returns float64 (2, 3): where in the input each output pixel (x, y, 1) is from.

    The image is flipped, zoomed, sheared, rotated about its centre and then shifted;
    this is the inverse. Pixel centres lie at whole numbers.
    """
    angle = np.pi / 180 * augment.rotate * _signed(random["rotate"])
    slope = tf.tan(np.pi / 180 * augment.shear * _signed(random["shear"]))
    scale = 1 / _factor(augment.zoom, random["zoom"])
    mirror = 1 - 2 * tf.cast(random["flip"] < 0.5, tf.float64) * augment.flip
    cos, sin = tf.cos(angle), tf.sin(angle)
    xx, xy = mirror * scale * (cos + slope * sin), mirror * scale * (sin - slope * cos)
    yx, yy = -scale * sin, scale * cos
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    shift_x = centre_x + width * augment.translate * _signed(random["translate_x"])
    shift_y = centre_y + height * augment.translate * _signed(random["translate_y"])
    x = centre_x - xx * shift_x - xy * shift_y
    y = centre_y - yx * shift_x - yy * shift_y
    return tf.stack([[xx, xy, x], [yx, yy, y]])


def recolour(augment, image, random):
    """Changes brightness, contrast, saturation and hue by one affine map of the colour.

    Args:
        augment: `Augment`, or any tuple with its four knobs of colour.
        image: float32 (..., h, w, 1 or 3) of one sample, within 0..255.
        random: From `random_numbers.uniforms`, scalars.

    Returns:
        float32 of the same shape, clipped to 0..255.
    """
    brightness = _factor(augment.brightness, random["brightness"])
    contrast = _factor(augment.contrast, random["contrast"])
    planes = tf.unstack(image, axis=-1)
    grey = sum(share * plane for share, plane in zip(_GREY, planes))
    mean = tf.reduce_mean(grey if len(planes) == 3 else planes[0])
    offset = tf.cast((1 - contrast) * brightness, tf.float32) * mean
    if len(planes) == 1:
        matrix = tf.reshape(brightness * contrast, (1, 1))
    else:  # grey stays grey under the matrix: it may come before or after the contrast
        matrix = brightness * contrast * colour_matrix(augment, random)
    matrix = tf.cast(matrix, tf.float32)
    changed = [
        sum(matrix[i, j] * plane for j, plane in enumerate(planes)) + offset
        for i in range(len(planes))
    ]
    return tf.clip_by_value(tf.stack(changed, axis=-1), 0, 255)


def colour_matrix(augment, random):
    """Returns float64 (3, 3) that changes saturation and turns the hue, in YIQ."""
    to_yiq = np.array([_GREY, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)])
    to_yiq[1:] -= to_yiq[1:].mean(
        axis=1, keepdims=True
    )  # rounded: grey is exactly grey
    factor = _factor(augment.saturation, random["saturation"])
    angle = 2 * np.pi * augment.hue * _signed(random["hue"])
    cos, sin = factor * tf.cos(angle), factor * tf.sin(angle)
    one, zero = tf.ones_like(cos), tf.zeros_like(cos)
    turn = tf.stack([[one, zero, zero], [zero, cos, -sin], [zero, sin, cos]])
    return np.linalg.inv(to_yiq) @ turn @ to_yiq


def box_mask(shape, y, x, side):
    """Returns bool (..., h, w, 1), True in a box of `side` (fraction) around (y, x).

    The centre is given as fractions of the image; the box is cut at the border.
    """
    height, width = shape[-3:-1]
    y, x, side = (tf.cast(value, tf.float64)[..., None] for value in (y, x, side))
    in_rows = tf.abs((np.arange(height) + 0.5) / height - y) < side / 2
    in_columns = tf.abs((np.arange(width) + 0.5) / width - x) < side / 2
    return (in_rows[..., :, None] & in_columns[..., None, :])[..., None]


def _signed(uniform):
    return 2 * uniform - 1


def _factor(spread, uniform):
    return 1 + spread * _signed(uniform)
