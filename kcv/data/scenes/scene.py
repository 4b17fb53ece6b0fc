"""What a scene is: numbers from which its picture and every truth are drawn.

A scene is described before it is drawn. The description is a tree of tuples without
pixels; drawing, motion, relations and questions all read it. Things lie in planes that
face the camera: each has its own frame, in which its shape fills [-1, 1] x [-1, 1], and
an affine map from that frame to image pixels.
"""

import math
from typing import NamedTuple

import numpy as np

SPLITS = ("train", "validation", "test")

SHAPES = (
    *("circle", "square", "triangle", "star", "cross", "ring"),
    *("crescent", "heart", "arrow", "hexagon", "diamond", "drop"),
)
DIGITS = tuple(f"digit_{digit}" for digit in range(10))
CLASSES = (*SHAPES, *DIGITS, "person")
PERSON = CLASSES.index("person")

COLOURS = {  # albedo, linear, 0..1; each thing's own differs a little
    "red": (0.75, 0.10, 0.08),
    "orange": (0.85, 0.40, 0.05),
    "yellow": (0.85, 0.75, 0.08),
    "green": (0.12, 0.55, 0.15),
    "cyan": (0.10, 0.65, 0.70),
    "blue": (0.10, 0.20, 0.75),
    "purple": (0.45, 0.12, 0.60),
    "brown": (0.35, 0.20, 0.10),
    "white": (0.85, 0.85, 0.85),
    "grey": (0.35, 0.35, 0.35),
}
COLOUR_NAMES = tuple(COLOURS)
TEXTURES = ("plain", "striped", "checked", "dotted")
MATERIALS = ("matt", "shiny")
BACKGROUNDS = ("photograph", "texture", "gradient")
BACKGROUND_DEPTH = 10.0

JOINTS = (  # the order of the Leeds Sports Poses
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("right_wrist", "right_elbow", "right_shoulder"),
    *("left_shoulder", "left_elbow", "left_wrist", "neck", "head_top"),
)
LIMBS = ("right_leg", "left_leg", "right_arm", "left_arm")
MIRRORED_JOINTS = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13)


class Thing(NamedTuple):
    """One object.

    Parameters:
        category: Index into `CLASSES`.
        colour: Index into `COLOUR_NAMES`.
        texture: Index into `TEXTURES`.
        material: Index into `MATERIALS`.
        albedo: float (3,), linear reflectance; near `COLOURS`.
        matrix: float64 (2, 3), own frame (u, v, 1) -> image (x, y) in pixels.
        depth: Distance of its plane from the camera, in units of which the background
            has 10; nearer things hide farther ones.
        bend: Its own frame is bent first: (u, v) -> (u, v + bend * u * u).
        sprite: Which handwritten digit, row of scikit-learn's digits; -1 for no digit.
        joints: float64 (14, 2) in its own frame, ordered as `JOINTS`; None but for a
            person.
        accent: float (3,), linear reflectance of a texture's marks, of a person's skin;
            None is black.
        relief: Slope of its surface at a distance of 1 from the middle of its frame: it
            is a dome, nearer to the camera in the middle. Of a person: of each limb.
        behind: Limbs of a person that lie behind its trunk, of `LIMBS`.
    """

    category: int
    colour: int
    texture: int
    material: int
    albedo: np.ndarray
    matrix: np.ndarray
    depth: float
    bend: float = 0.0
    sprite: int = -1
    joints: np.ndarray | None = None
    accent: np.ndarray | None = None
    relief: float = 0.0
    behind: tuple[str, ...] = ()

    @property
    def name(self):
        """Name of the class."""
        return CLASSES[self.category]

    @property
    def size(self):
        """Half the side of its frame in pixels (geometric mean of both axes)."""
        (a, b, _), (c, d, _) = self.matrix.tolist()
        return math.sqrt(abs(a * d - b * c))

    @property
    def center(self):
        """Image point (x, y) of the middle of its frame."""
        return self.matrix[:, 2]


class Background(NamedTuple):
    """What is behind everything, at depth 10.

    Parameters:
        kind: One of `BACKGROUNDS`.
        index: Which photograph or texture of `backgrounds`; 0 for a gradient.
        matrix: float64 (2, 3), image (x, y, 1) -> pixels of the photograph (mirrored
            beyond its border), or for a gradient -> (position between both colours,
            unused).
        colours: float (2, 3), linear; those of a gradient; the first tints a texture.
    """

    kind: str
    index: int
    matrix: np.ndarray
    colours: np.ndarray


class Camera(NamedTuple):
    """What the camera does to light.

    Parameters:
        exposure: Factor on linear light.
        blur: Standard deviation of a Gaussian, pixels; 0 for none.
        noise: Standard deviation of the sensor's noise, in levels of 255.
    """

    exposure: float = 1.0
    blur: float = 0.0
    noise: float = 0.0


class Scene(NamedTuple):
    """A scene.

    Parameters:
        height: Of the image, pixels.
        width: Of the image, pixels.
        background: `Background`.
        things: `Thing`s; `sample` gives them from the farthest to the nearest.
        light: float (3,), unit vector towards the light; x right, y down, z towards the
            camera (z > 0).
        ambient: Share of the light that comes from everywhere, 0..1.
        camera: `Camera`.
        key: (seed, number of the split, index), from which everything was drawn; noise
            is, too. Further numbers, of a frame, give other noise.
        shadow: Share of the light that a cast shadow takes, 0..1; 0 for no shadows.
    """

    height: int
    width: int
    background: Background
    things: tuple[Thing, ...]
    light: np.ndarray
    ambient: float
    camera: Camera
    key: tuple[int, ...]
    shadow: float = 0.0

    @property
    def unit(self):
        """Pixels that are as long as one unit of depth."""
        return max(self.height, self.width) / 2


def to_image(thing, points):
    """Returns the image points (n, 2), pixels, of points (n, 2) in a thing's frame."""
    u, v = points[..., 0], points[..., 1]
    v = v + thing.bend * u * u
    a, b = thing.matrix
    return np.stack([a[0] * u + a[1] * v + a[2], b[0] * u + b[1] * v + b[2]], axis=-1)


def to_frame(thing, points):
    """Returns the points (n, 2) of a thing's frame of image points (n, 2), pixels."""
    (a, b, x), (c, d, y) = thing.matrix
    scale = 1 / (a * d - b * c)
    x, y = points[..., 0] - x, points[..., 1] - y
    u = scale * (d * x - b * y)
    v = scale * (a * y - c * x)
    return np.stack([u, v - thing.bend * u * u], axis=-1)
