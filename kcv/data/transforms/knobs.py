"""The knobs of the transformations, and what they can be used on."""

from typing import NamedTuple

from kcv.data.transforms import boxes, moving, rand_augment

PASSED = (
    *("labels", "image_id", "attributes", "captions"),
    *("questions", "answers", "answer_class", "choices"),
)
CHANGED = (
    *moving.IMAGES,
    *boxes.KEYS,
    *("semantic", "depth", "flow", "flow_backward", "flow_valid", "occlusion"),
)
_FILLS = ("constant", "nearest", "reflect")


class Transforms(NamedTuple):
    """What may happen to a sample; 0 is off.

    Parameters:
        flip: True mirrors every second sample left to right.
        flip_vertical: True turns every second sample upside down.
        rotate: Largest angle, degrees, both ways.
        shear: Largest horizontal shear, degrees, both ways.
        zoom: 0.2 scales by a factor in [0.8, 1.2].
        scale: The same, but for width and height apart.
        translate: Largest shift, fraction of width and of height.
        perspective: Largest way of a corner, fraction of width and of height, to 0.24.
        expand: 4 puts every second picture on a canvas of up to 4 times its sides.
        crop_scale: Smallest area of a random crop, fraction of the picture, which is
            resized to the picture's size; its aspect is up to 4:3 off.
        crop_size: (height, width) in pixels of a crop at the picture's own scale, which
            is what goes out; () for none.
        fill: What shows beyond the border: "constant", or without labels "nearest" or
            "reflect". Things seen in a mirror have no boxes.
        fill_value: Level of "constant".
        brightness: 0.4 multiplies by a factor in [0.6, 1.4].
        contrast: 0.4 mixes with the mean grey by a factor in [0.6, 1.4].
        saturation: 0.4 mixes with the grey image by a factor in [0.6, 1.4].
        hue: Largest turn of the colour circle, fraction of a full turn, up to 0.5.
        intensity: 0.1 adds up to 0.1 of white, both ways.
        gamma: 0.5 raises to a power in [1 / 1.5, 1.5].
        pca: Standard deviation of AlexNet's shifts along `pca_axes`; it took 0.1.
        pca_axes: From `colour_axes`.
        blur: Largest standard deviation of a Gaussian, pixels.
        noise: Largest standard deviation of noise, levels of 255.
        cutout: Side of a grey square, fraction of the picture's side.
        mixup: Alpha of mixup's Beta distribution, such as 0.2.
        cutmix: Alpha of CutMix's, such as 1. With both, a coin decides.
        mosaic: Share of the samples that are made of four pictures.
        rand_augment: RandAugment's number of changes, up to 4.
        rand_magnitude: Their magnitude, up to 10.
        min_visible: Objects of which less than this share stays visible are dropped: of
            the pixels of their mask, without one of the area of their box.
        keypoint_pairs: ((left, right), ...), indices that change places in a mirror.
        zoom_depth: True divides depth by the magnification, as if one went nearer.

    mixup and cutmix blend rows 2i and 2i+1 of a batch, mosaics are made of rows 4i to
    4i+3; what is left over stays as it is. See `kcv.data.mixing` for the labels; those
    of a whole mosaic stay its first picture's. Where objects of several pictures do not
    fit into one's slots, the largest stay.
    """

    flip: bool = False
    flip_vertical: bool = False
    rotate: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    scale: float = 0.0
    translate: float = 0.0
    perspective: float = 0.0
    expand: float = 0.0
    crop_scale: float = 0.0
    crop_size: tuple[int, ...] = ()
    fill: str = "constant"
    fill_value: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    intensity: float = 0.0
    gamma: float = 0.0
    pca: float = 0.0
    pca_axes: tuple[tuple[float, ...], ...] = ()
    blur: float = 0.0
    noise: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    mosaic: float = 0.0
    rand_augment: int = 0
    rand_magnitude: float = 9.0
    min_visible: float = 0.25
    keypoint_pairs: tuple[tuple[int, int], ...] = ()
    zoom_depth: bool = False

    @property
    def turns(self):
        """Whether boxes do not stay boxes."""
        return any((self.rotate, self.shear, self.perspective, self.rand_augment))

    @property
    def resamples(self):
        """Whether pixels move other than in a mirror."""
        moves = (self.zoom, self.scale, self.translate, self.expand, self.mosaic)
        return self.turns or any(moves) or bool(self.crop_scale or self.crop_size)

    @property
    def moves(self):
        """Whether pixels move."""
        return self.flip or self.flip_vertical or self.resamples

    @property
    def recolours(self):
        """Whether colours change by one affine map."""
        return any((self.brightness, self.contrast, self.saturation, self.hue))

    @property
    def repaints(self):
        """Whether levels change at all."""
        others = (self.intensity, self.gamma, self.pca, self.blur, self.noise)
        return self.recolours or any(others) or self.rand_augment > 0

    @property
    def changes(self):
        """Whether a sample changes by itself."""
        return self.moves or self.repaints or self.cutout > 0

    @property
    def mixes(self):
        """Whether two samples are blended."""
        return self.mixup > 0 or self.cutmix > 0


_LARGEST = {
    **{"flip": 1, "flip_vertical": 1, "rotate": 180, "shear": 60, "zoom": 0.9},
    **{"scale": 0.9, "translate": 1, "perspective": 0.24, "expand": 16},
    **{"crop_scale": 1, "fill_value": 255, "brightness": 1, "contrast": 1},
    **{"saturation": 1, "hue": 0.5, "intensity": 1, "gamma": 4, "pca": 10},
    **{"blur": 16, "noise": 255, "cutout": 1, "mixup": 100, "cutmix": 100},
    **{"mosaic": 1, "rand_augment": rand_augment.MOST},
    **{"rand_magnitude": rand_augment.LARGEST, "min_visible": 1},
}


def check(transforms):
    """Raises ValueError for `Transforms` with a value outside its range."""
    for name, largest in _LARGEST.items():
        value = getattr(transforms, name)
        if not 0 <= value <= largest:
            raise ValueError(f"transforms {name}={value} is not within 0..{largest}")
    if 0 < transforms.expand < 1:
        raise ValueError(
            f"transforms expand={transforms.expand} is not 0 or at least 1"
        )
    if transforms.fill not in _FILLS:
        raise ValueError(f"transforms fill={transforms.fill!r} is not one of {_FILLS}")
    if transforms.crop_size and (
        len(transforms.crop_size) != 2 or min(transforms.crop_size) < 1
    ):
        raise ValueError(
            f"transforms crop_size={transforms.crop_size} is not (height, width)"
        )
    if transforms.pca and len(transforms.pca_axes) != 3:
        raise ValueError(
            f"transforms pca={transforms.pca} needs pca_axes: estimate them from "
            "pictures with kcv.data.transforms.colour_axes"
        )


def check_batch(transforms, shapes):
    """Raises ValueError for a batch that these transforms cannot change.

    Args:
        transforms: `Transforms`.
        shapes: {key: shape of one sample}.
    """
    unknown = sorted(set(shapes) - set(CHANGED) - set(PASSED))
    if unknown and (transforms.changes or transforms.mixes):
        raise ValueError(
            f"transforms do not know what becomes of {unknown[0]!r}: take it out of the"
            " batch, or transform nothing"
        )
    if "images" not in shapes and "frames" not in shapes:
        raise ValueError(f"transforms need images or frames, the batch has {[*shapes]}")
    if transforms.pca and any(
        shapes[key][-1] != 3 for key in moving.IMAGES if key in shapes
    ):
        raise ValueError(f"pca={transforms.pca} needs images of 3 channels, RGB")
    labels = sorted(set(shapes) & set(CHANGED) - set(moving.IMAGES))
    if transforms.resamples and labels and transforms.fill != "constant":
        raise ValueError(
            f"transforms fill={transforms.fill!r} shows things that {labels[0]!r} does "
            'not know: use fill="constant"'
        )
    of_pixels = {"depth", "flow", "flow_backward"} & set(shapes)
    if transforms.mixup and of_pixels:
        raise ValueError(
            f"mixup has no true {min(of_pixels)!r} for two blended pictures: use cutmix"
        )
    size = size_of(shapes)
    if transforms.crop_size and any(
        crop > side for crop, side in zip(transforms.crop_size, size)
    ):
        raise ValueError(f"crop_size {transforms.crop_size} is larger than {size}")


def size_of(shapes):
    """Returns (height, width) of {key: shape of a sample}."""
    shape = shapes["images"] if "images" in shapes else shapes["frames"]
    return tuple(shape[-3:-1])
