"""One set of random changes for pictures and all of their labels."""

from kcv.data.transforms.colour import colour_axes
from kcv.data.transforms.knobs import Transforms, check
from kcv.data.transforms.transforms import apply

__all__ = ["Transforms", "apply", "check", "colour_axes"]
