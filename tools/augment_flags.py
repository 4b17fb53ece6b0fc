"""The flags that change training pictures at random, for every script that has them."""

from absl import flags

_F = flags.FLAGS

flags.DEFINE_bool("flip", False, "Mirror every second image left to right.")
flags.DEFINE_float("rotate", 0, "Largest turn, degrees.", 0)
flags.DEFINE_float("zoom", 0, "Largest change of scale; 0.2 is 0.8 to 1.2.", 0)
flags.DEFINE_float("shear", 0, "Largest shear, degrees.", 0)
flags.DEFINE_float("translate", 0, "Largest shift, share of the side.", 0)
flags.DEFINE_float("brightness", 0, "Largest change of brightness, share.", 0)
flags.DEFINE_float("contrast", 0, "Largest change of contrast, share.", 0)
flags.DEFINE_float("saturation", 0, "Largest change of saturation, share.", 0)
flags.DEFINE_float("hue", 0, "Largest turn of the colour circle, share.", 0)
flags.DEFINE_float("crop_scale", 0, "Smallest area of a random crop, share.", 0)
flags.DEFINE_float("cutout", 0, "Side of a grey square, share of the image's.", 0)

NAMES = (
    *("flip", "rotate", "zoom", "shear", "translate", "brightness", "contrast"),
    *("saturation", "hue", "crop_scale", "cutout"),
)


def values() -> dict:
    """{name: value} of these flags: arguments of `Augment` and of `Transforms`."""
    return {name: _F[name].value for name in NAMES}
