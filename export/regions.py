"""What lies between the parts of a detector, read from its layers, and real regions."""

import numpy as np

from kcv.boxes.coding import SSD_VARIANCES
from kcv.edge import boxes as suppression
from kcv.edge import detect
from kcv.edge.stages import RPN, Regions, Stages
from kcv.export.prove import keras_predictor
from kcv.layers.multilevel_roi_align import MultilevelRoIAlign
from kcv.layers.proposals import Proposals, level_anchors
from kcv.layers.roi_align import RoIAlign
from kcv.layers.roi_pool import RoIPool
from kcv.models.detection.stages import (
    head_of,
    head_stage,
    instance_head,
    proposal_stage,
)

BYTES = 2**28  # of the regions that a head is calibrated on
CALLS = 4  # at least


def stages_of(model, boxes=None, instances=8) -> Stages:
    """What lies between the stages of a model.

    Args:
        model: of two stages.
        boxes: that one call of the RoI head takes; None: all proposals.
        instances: that one call of a head for masks or keypoints takes.

    Raises:
        ValueError: the model is not of two stages, or gets its proposals from outside.
    """
    head_of(model)
    own = next((x for x in model.layers if isinstance(x, Proposals)), None)
    if own is None:
        raise ValueError(
            f"{model.name} gets its proposals from outside, which a file of images "
            "cannot: give a model with a region proposal network, as faster_rcnn"
        )
    boxes = min(boxes or own.count, own.count)
    if min(boxes, instances) < 1:
        raise ValueError(f"a head takes 1 box or more, not {min(boxes, instances)}")
    heads = {"roi_head": _regions_of(head_of(model), "proposals", boxes)}
    more = instance_head(model)
    if more:
        heads[more] = _regions_of(head_of(model, more), "boxes", instances)
    anchors = level_anchors(own.image_size, own.levels)
    facts = (own.count, own.candidates, own.iou_threshold)
    return Stages(anchors, tuple(own.image_size), *facts, heads)


def _regions_of(head, boxes, count):
    maps = [name for name in head.input if name != boxes]
    layers = {layer.name: layer for layer in head.layers}
    layer = layers.get("regions")
    if layer is None:  # of R-FCN
        pools = [layers[f"{name}_regions"] for name in ("class_maps", "offset_maps")]
        strides = {"class_maps": pools[0].stride, "offset_maps": pools[1].stride}
        return Regions("ps", pools[0].size, strides)
    if isinstance(layer, MultilevelRoIAlign):
        strides = {name: 2 ** int(name[1:]) for name in maps}
        canonical = (layer.canonical_level, layer.canonical_size)
        options = (layer.sampling_ratio, *canonical, count)
        return Regions("levels", layer.size, strides, *options)
    if isinstance(layer, RoIPool):
        return Regions("pool", layer.size, {maps[0]: layer.stride}, boxes=count)
    if isinstance(layer, RoIAlign):
        options = ({maps[0]: layer.stride}, layer.sampling_ratio)
        return Regions("align", layer.size, *options, boxes=count)
    raise ValueError(
        f"{head.name} makes regions by {type(layer).__name__}, which kcv.edge does not "
        "know: give a model of kcv.models.detection"
    )


def part_inputs(model, between: Stages, images: dict) -> dict:
    """Real regions for each head, of proposals and detections that Keras finds.

    Args:
        model: of two stages.
        between: of `stages_of`.
        images: {name: float32 (n, height, width, channels), or None, which has none}.

    Returns:
        {head: {name: float32 (calls, boxes, bins, bins, channels)}} of each head with a
        network; spread over the images, as many as `BYTES` hold.
    """
    roi = between.heads["roi_head"]
    if roi.kind == "ps":
        return {}
    first = keras_predictor(proposal_stage(model), "", 16)
    answer = keras_predictor(head_stage(model, roi.boxes), "", 1)
    found = {head: {} for head in between.heads}
    for name, pictures in images.items():
        if pictures is None:
            continue
        calls = {head: [] for head in between.heads}
        for picture in _spread(pictures, model, between):
            maps = {k: x[0] for k, x in first(picture[None]).items()}
            rois = between.propose(*(maps.pop(key) for key in RPN))
            regions = _calls(roi, maps, rois)
            calls["roi_head"] += regions
            for head in between.heads.keys() - {"roi_head"}:
                said = answer(np.stack(regions))
                said = {
                    k: x.reshape(-1, *x.shape[2:])[: len(rois)] for k, x in said.items()
                }
                of = between.heads[head]
                best = _best(said | {"proposals": rois}, between.image_size, of.boxes)
                calls[head] += _calls(of, maps, best)
        for head, parts in calls.items():
            found[head][name] = np.stack(parts)
    return found


def _spread(images, model, between):
    """As many images as BYTES hold regions of, from the first to the last."""
    size = 4 * between.proposals * max(
        np.prod(head_of(model, name).get_layer("regions").output.shape[2:])
        for name in between.heads
    )  # fmt: skip
    count = int(min(len(images), max(CALLS, BYTES // size)))
    return images[np.linspace(0, len(images) - 1, count).astype(int)]


def _calls(of, maps, boxes):
    """List of float32 (of.boxes, bins, bins, channels), as the device makes them."""
    regions = of.make(maps, boxes)
    calls = []
    for start in range(0, len(regions), of.boxes):
        call = np.zeros((of.boxes, *regions.shape[1:]), "float32")
        some = regions[start : start + of.boxes]
        call[: len(some)] = some
        calls.append(call)
    return calls


def _best(outputs, image_size, count):
    """Boxes of the `count` highest detections, however low they score."""
    how = detect.Decoding("softmax", "regions", None, image_size, SSD_VARIANCES)
    boxes, scores = detect.decode(how, outputs)
    best, _, _ = suppression.detections(boxes, scores, 0.5, 0, count)
    return np.concatenate([best, np.zeros((count - len(best), 4), "float32")])
