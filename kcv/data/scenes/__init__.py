"""The procedural world: scenes whose every truth is known."""

from kcv.data.scenes.config import DIFFICULTIES, Config
from kcv.data.scenes.render import render
from kcv.data.scenes.sample import sample
from kcv.data.scenes.scene import CLASSES, Background, Camera, Scene, Thing

__all__ = [
    "CLASSES",
    "DIFFICULTIES",
    "Background",
    "Camera",
    "Config",
    "Scene",
    "Thing",
    "render",
    "sample",
]
