"""Detectors that are small enough for the claims about them, ready to be trained."""

import functools

from kcv.boxes import coding
from kcv.boxes.decoding import Decoding
from kcv.models.detection import ssd_body
from kcv.models.detection.faster_rcnn import faster_rcnn
from kcv.tools.claims import detection_runs

SHARES = (0.22, 0.32, 0.44)  # of a scene's side, that anchors have


@functools.cache
def faster_rcnn_learner(regions="align", side=detection_runs.SIDE, proposals=24):
    """Faster R-CNN for the scenes, on cells of 16 pixels.

    Args:
        regions: "align" or "pool".
        side: of the scenes, pixels.
        proposals: of an image at test time; while training there are 48.
    """
    build = functools.partial(
        faster_rcnn, (side, side, 3), detection_runs.SHAPES, **body(side),
        sides=tuple(round(share * side) for share in SHARES), rpn_filters=64,
        regions=regions, units=128, proposals=proposals,
    )  # fmt: skip
    options = {"anchors": 32, "rois": 32, "proposals": 48, "candidates": 128}
    return detection_runs.learner(build, "two_stage", regions_of(side), **options)


@functools.cache
def ssd_learner(losses=None, side=detection_runs.LARGE):
    """SSD for the scenes.

    Args:
        losses: as for `detection_runs.learner`.
        side: of the scenes, pixels.
    """
    shape, own = (side, side, 3), body(side)
    anchors = ssd_body.ssd_anchors(shape, own["body"])
    decoding = Decoding("softmax", "log", anchors, shape[:2], coding.SSD_VARIANCES)
    build = functools.partial(ssd_body.ssd, shape, detection_runs.SHAPES, **own)
    return detection_runs.learner(build, "ssd", decoding, losses)


def body(side):
    """Darknet-19 that takes 14 million multiply-adds for a scene of any side."""
    return {"body": "darknet19", "alpha": 16 / side}


def regions_of(side):
    """The `Decoding` of detectors of two stages."""
    return Decoding("softmax", "regions", None, (side, side), coding.SSD_VARIANCES)
