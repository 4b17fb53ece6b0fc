"""What lies between the parts of a network: proposals, and the regions of boxes.

It stands under "stages" of the "decoding" in kcv.json, written by
`kcv.export.convert_stages`.
"""

import base64
import binascii
import zlib
from typing import NamedTuple

import numpy as np

from kcv.edge import proposals, regions
from kcv.edge.errors import EdgeError

RPN = {"proposal_scores": 2, "proposal_offsets": 3}  # outputs and their dimensions
HEADS = {
    "roi_head": {"offsets": 4, "scores": 3},
    "mask_head": {"masks": 5},
    "keypoint_head": {"keypoints": 5},
}
KINDS = ("align", "levels", "pool", "ps")


class Regions(NamedTuple):
    """How the regions of a head are made; see `kcv.edge.regions`.

    Args:
        kind: one of KINDS.
        bins: along each side of a box.
        strides: {map: pixels of the image for one of the map's}; of "ps" the map of
            scores stands first, that of offsets second.
        sampling_ratio: of "align" and "levels".
        canonical_level: of "levels".
        canonical_size: of "levels", pixels.
        boxes: that one call of the head takes; 0 where there is no network behind.
    """

    kind: str
    bins: int
    strides: dict
    sampling_ratio: int = 2
    canonical_level: int = 4
    canonical_size: float = 224.0
    boxes: int = 0

    def make(self, maps, boxes) -> np.ndarray:
        """float32 (n, bins, bins, channels) of boxes (n, 4) on maps of one image."""
        if self.kind == "levels":
            options = (self.sampling_ratio, self.canonical_level, self.canonical_size)
            return regions.multilevel_roi_align(
                maps, boxes, self.bins, self.strides, *options
            )
        ((name, stride),) = self.strides.items()
        if self.kind == "pool":
            return regions.roi_pool(maps[name], boxes, self.bins, stride)
        return regions.roi_align(
            maps[name], boxes, self.bins, stride, self.sampling_ratio
        )

    def vote(self, maps, boxes, classes: int) -> dict:
        """{"scores", "offsets"} of R-FCN: the means of position-sensitive bins."""
        found = [
            regions.ps_roi_pool(maps[name], boxes, self.bins, stride).mean(axis=(1, 2))
            for name, stride in self.strides.items()
        ]
        offsets = np.repeat(found[1][:, None], classes, axis=1)
        return {"scores": found[0], "offsets": offsets}


class Stages(NamedTuple):
    """What lies between the parts.

    Args:
        anchors: list of float32 (n of the level, 4), see `proposals.propose`.
        image_size: (height, width), pixels.
        proposals: of an image.
        candidates: see `proposals.propose`.
        iou_threshold: likewise.
        heads: {"roi_head": Regions, ...}, keys of HEADS.
    """

    anchors: list
    image_size: tuple[int, int]
    proposals: int
    candidates: int
    iou_threshold: float
    heads: dict

    def propose(self, scores, offsets) -> np.ndarray:
        """float32 (proposals, 4) of what the first network says of its anchors."""
        return proposals.propose(
            *(scores, offsets, self.anchors, self.image_size, self.proposals),
            *(self.candidates, self.iou_threshold),
        )

    def maps(self) -> list:
        """Names of all maps that the heads read, sorted."""
        return sorted({name for head in self.heads.values() for name in head.strides})


def is_staged(model) -> bool:
    """Whether a model_file.ModelFile of task "detection" is in parts."""
    said = model.manifest.get("decoding")
    return isinstance(said, dict) and "stages" in said


def to_json(stages: Stages) -> dict:
    """What kcv.json says of them; `read_stages` is the inverse."""
    anchors = np.concatenate(stages.anchors).astype("<f4").tobytes()
    heads = {name: head._asdict() for name, head in stages.heads.items()}
    for name, head in heads.items():
        head["maps"], head["strides"] = [*head["strides"]], [*head["strides"].values()]
        head["part"] = None if head["kind"] == "ps" else f"{name}.tflite"
    return {
        "anchors": base64.b64encode(zlib.compress(anchors, 9)).decode(),
        "levels": [len(level) for level in stages.anchors],
        "proposals": stages.proposals,
        "candidates": stages.candidates,
        "iou_threshold": stages.iou_threshold,
        "heads": heads,
    }


def read_stages(model, image_size) -> Stages:
    """The `Stages` in a file's kcv.json.

    Args:
        model: model_file.ModelFile.
        image_size: (height, width) of its images.

    Raises:
        EdgeError: there are none that can be used.
    """
    try:
        said = model.manifest["decoding"]["stages"]
        anchors = zlib.decompress(base64.b64decode(said["anchors"], validate=True))
        anchors = np.frombuffer(anchors, "<f4").reshape(-1, 4).astype("float32")
        counts = [int(count) for count in said["levels"]]
        if sum(counts) != len(anchors) or min(counts) < 1:
            raise ValueError(f"levels of {counts} anchors are not {len(anchors)}")
        stages = Stages(
            np.split(anchors, np.cumsum(counts)[:-1]),
            image_size,
            int(said["proposals"]),
            int(said["candidates"]),
            float(said["iou_threshold"]),
            {name: _regions(head) for name, head in said["heads"].items()},
        )
    except (TypeError, KeyError, ValueError, AttributeError, zlib.error,
            binascii.Error) as error:  # fmt: skip
        raise EdgeError(
            f"{model.path}: kcv.json does not say what lies between its parts"
            f" ({type(error).__name__}: {error}); export it again"
        ) from error
    if not _usable(stages):
        raise EdgeError(
            f"{model.path}: kcv.json joins its parts in a way that this kcv does not"
            " know; update kcv on this device or export it again"
        )
    return stages


def _regions(said):
    strides = dict(zip(said["maps"], map(int, said["strides"]), strict=True))
    numbers = [int(said[k]) for k in ("sampling_ratio", "canonical_level")]
    size, boxes = float(said["canonical_size"]), int(said["boxes"])
    return Regions(said["kind"], int(said["bins"]), strides, *numbers, size, boxes)


def _usable(stages):
    heads = stages.heads
    fits = "roi_head" in heads and heads.keys() <= HEADS.keys()
    fits = fits and min(stages.proposals, stages.candidates) >= 1
    fits = fits and all(np.isfinite(level).all() for level in stages.anchors)
    for head in heads.values():
        maps = {"ps": len(head.strides) == 2, "levels": len(head.strides) > 0}
        fits = fits and head.kind in KINDS
        fits = fits and maps.get(head.kind, len(head.strides) == 1)
        fits = fits and min(head.bins, head.sampling_ratio, *head.strides.values()) >= 1
        fits = fits and (head.boxes >= 1 or head.kind == "ps")
    return fits
