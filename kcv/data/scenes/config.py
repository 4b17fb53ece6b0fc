"""What the scenes of a data set have in common, and how hard they are."""

import functools
from typing import NamedTuple

from kcv.data.scenes import scene


class Config(NamedTuple):
    """How scenes are drawn by lot.

    Parameters:
        height: Of the images, pixels.
        width: Of the images, pixels.
        min_objects: Least number of things that are no people.
        max_objects: Largest number.
        categories: Names of their classes, of `scene.SHAPES` and `scene.DIGITS`.
        people: Least and largest number of people in a scene, besides the objects.
        sizes: Least and largest side of an object's frame, share of the image's
            shorter side.
        people_sizes: Likewise of people.
        rotation: Largest turn of a shape, degrees both ways; digits and people turn by
            up to a ninth of it, so that a 6 stays a 6.
        stretch: 0.2 scales width against height by a factor in [1/1.2, 1.2].
        bend: Largest bend of an object, see `scene.Thing`.
        occlusion: Largest share of a thing that nearer things are meant to hide;
            where there is no room, it becomes more.
        truncation: Largest share of a thing's frame that leaves the image.
        colours: Names of the things' colours.
        textures: Names of the things' textures.
        materials: Names of the things' materials.
        shadows: Whether things cast shadows.
        backgrounds: Kinds of backgrounds.
        slant: Least and largest angle between the light and the camera, degrees.
        exposure: 0.2 multiplies light by a factor in [1/1.2, 1.2].
        blur: Largest standard deviation of the camera's blur, pixels; half of the
            scenes are sharp.
        noise: Largest standard deviation of its noise, levels of 255.
    """

    height: int = 128
    width: int = 128
    min_objects: int = 1
    max_objects: int = 12
    categories: tuple[str, ...] = (*scene.SHAPES, *scene.DIGITS)
    people: tuple[int, int] = (0, 0)
    sizes: tuple[float, float] = (0.18, 0.45)
    people_sizes: tuple[float, float] = (0.5, 0.95)
    rotation: float = 180.0
    stretch: float = 0.0
    bend: float = 0.0
    occlusion: float = 0.4
    truncation: float = 0.2
    colours: tuple[str, ...] = scene.COLOUR_NAMES
    textures: tuple[str, ...] = scene.TEXTURES
    materials: tuple[str, ...] = scene.MATERIALS
    shadows: bool = True
    backgrounds: tuple[str, ...] = scene.BACKGROUNDS
    slant: tuple[float, float] = (20.0, 50.0)
    exposure: float = 0.25
    blur: float = 0.5
    noise: float = 3.0


DIFFICULTIES = {
    "easy": Config(
        max_objects=4,
        sizes=(0.25, 0.5),
        rotation=20.0,
        occlusion=0.0,
        truncation=0.0,
        textures=("plain",),
        backgrounds=("gradient",),
        slant=(20.0, 30.0),
        exposure=0.0,
        blur=0.0,
        noise=0.0,
    ),
    "default": Config(),
    "hard": Config(
        min_objects=4,
        sizes=(0.12, 0.4),
        stretch=0.25,
        bend=0.25,
        occlusion=0.7,
        truncation=0.45,
        backgrounds=("photograph", "texture"),
        slant=(30.0, 60.0),
        exposure=0.6,
        blur=0.9,
        noise=8.0,
    ),
}

_NAMES = {
    "categories": (*scene.SHAPES, *scene.DIGITS),
    "colours": scene.COLOUR_NAMES,
    "textures": scene.TEXTURES,
    "materials": scene.MATERIALS,
    "backgrounds": scene.BACKGROUNDS,
}
_RANGES = {  # least and largest
    **{"height": (8, 4096), "width": (8, 4096), "people": (0, 32)},
    **{"min_objects": (0, 64), "max_objects": (0, 64)},
    **{"sizes": (0.01, 2), "people_sizes": (0.01, 2), "slant": (0, 75)},
    **{"rotation": (0, 180), "stretch": (0, 1), "bend": (0, 1)},
    **{"occlusion": (0, 1), "truncation": (0, 0.9)},
    **{"exposure": (0, 4), "blur": (0, 8), "noise": (0, 255)},
}


@functools.cache
def check(config):
    """Raises ValueError for a `Config` with a value that cannot be."""
    for name, (least, largest) in _RANGES.items():
        value = getattr(config, name)
        low, high = value if isinstance(value, tuple) else (value, value)
        if not least <= low <= high <= largest:
            raise ValueError(f"config {name}={value} must be within {least}..{largest}")
    if config.min_objects > config.max_objects:
        raise ValueError(
            f"config min_objects={config.min_objects} exceeds "
            f"max_objects={config.max_objects}"
        )
    for name, known in _NAMES.items():
        value = getattr(config, name)
        if isinstance(value, str) or not value:
            raise ValueError(f"config {name}={value!r} must be a tuple of names")
        for one in value:
            if one not in known:
                raise ValueError(
                    f"config {name} has {one!r}; known are {', '.join(known)}"
                )
