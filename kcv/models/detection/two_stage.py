"""How all detectors of two stages train: both at once, on sampled anchors and RoIs.

Paper: S. Ren et al., "Faster R-CNN", 2015, section 3.2 (joint training of both stages),
https://arxiv.org/abs/1506.01497

A model has the layers "proposals", where it has a region proposal network, and
"roi_head", a model from feature maps and RoIs to scores and offsets; its inputs are
named as the layers that give the maps. So the graph is made of any model, loaded ones
too, and shares its layers: to train the one is to train the other.
"""

import keras

from kcv.layers.anchor_targets import SampleAnchors
from kcv.layers.instance_targets import KeypointTargets, MaskTargets
from kcv.layers.proposals import Proposals
from kcv.layers.roi_targets import SampleRoIs
from kcv.models.detection.stages import (
    INSTANCE_HEADS,
    RPN_OUTPUTS,
    feature_maps,
    head_of,
    instance_head,
    model_inputs,
)

PROPOSALS, CANDIDATES = 8, 2  # for a RoI, and for a proposal, while training


def training_graph(
    model, anchors=256, rois=128, positive_share=0.25, proposals=None, candidates=None,
    seed=0,
):  # fmt: skip
    """The graph that a two-stage detector is trained by.

    Args:
        model: of a builder, or loaded.
        anchors: that the region proposal network learns from, in an image; half of them
            have an object, where there are so many.
        rois: that the second stage learns from, in an image.
        positive_share: of the RoIs that have an object, at most.
        proposals: of an image, from which the RoIs are drawn; None: 8 for a RoI.
        candidates: anchors of highest score, of each map, that are compared; None: 2
            for a proposal. Memory goes with their square: 2048 take 16 MiB an image.
        seed: of the drawings.

    Returns:
        A model that shares the layers of the first, from {"images", "boxes": float32
        (batch, m, 4), "classes": int32 (batch, m), -1 in empty slots, "crowd": int32
        (batch, m)[, "proposals"]} to a dict: "anchor_indices", "anchor_classes" and
        "anchor_offsets" of AnchorTargets with "proposal_scores" and "proposal_offsets"
        of all anchors; "rois", "roi_classes", "roi_offsets" and "roi_objects" of
        RoITargets with the "scores" and "offsets" of these RoIs. Mask R-CNN also takes
        "masks": uint8 (batch, m, height, width), and gives "mask_classes",
        "mask_targets" and "masks" of the RoIs with an object; Keypoint R-CNN takes
        "keypoints": float32 (batch, m, k, 3), x, y in pixels and visibility, and gives
        "keypoint_classes", "keypoint_targets" and "keypoints".

    Raises:
        ValueError: the model is not of two stages, or has fewer proposals than RoIs.
    """
    head = head_of(model)
    inputs, maps = model_inputs(model), feature_maps(model)
    truth = truth_inputs()
    proposals = proposals or PROPOSALS * rois
    candidates = candidates or CANDIDATES * proposals
    if "proposals" in inputs:
        given, outputs = inputs["proposals"], {}
    else:
        answers = [model.output[name] for name in RPN_OUTPUTS]
        own = model.get_layer("proposals")
        number = answers[0].shape[1]
        anchors = min(anchors, number)
        found = SampleAnchors(
            own.image_size, own.levels, anchors, (anchors + 1) // 2, seed=seed,
            name="sampled_anchors",
        )(*truth.values())  # fmt: skip
        outputs = dict(zip(RPN_OUTPUTS, answers))
        outputs |= {f"anchor_{name}": value for name, value in found.items()}
        given = Proposals(
            own.image_size, own.levels, proposals, candidates, own.iou_threshold,
            name="training_proposals",
        )(*answers)  # fmt: skip
    if rois > given.shape[1]:
        raise ValueError(
            f"{rois} RoIs of {given.shape[1]} proposals: raise proposals or lower rois"
        )
    positives = max(1, round(positive_share * rois))
    # Not the seed of the anchors: equal numbers would draw from equal places.
    layer = SampleRoIs(rois, positives, seed=seed + 1, name="sampled_rois")
    sampled = layer(given, *truth.values())
    outputs |= {"rois": sampled["boxes"]}
    outputs |= {f"roi_{k}": v for k, v in sampled.items() if k != "boxes"}
    outputs |= head({**maps, "proposals": sampled["boxes"]})
    inputs |= truth
    if instance_head(model):
        more, found = _instances(model, sampled, positives)
        inputs, outputs = inputs | more, outputs | found
    return keras.Model(inputs, outputs, name=f"{model.name}_training")


def truth_inputs():
    """Inputs for the objects of an image: boxes, classes and which are crowds."""
    return {
        "boxes": keras.Input((None, 4), name="boxes"),
        "classes": keras.Input((None,), dtype="int32", name="classes"),
        "crowd": keras.Input((None,), dtype="int32", name="crowd"),
    }


def _instances(model, sampled, count):
    """The truth, what a head for masks or keypoints says of RoIs, and its targets."""
    name = instance_head(model)
    head, key = model.get_layer(name), INSTANCE_HEADS[name]
    answer = head.output[key].shape  # (batch, rois, size, size, classes or keypoints)
    if key == "masks":
        layer = MaskTargets(count, answer[2], name="mask_targets")
        height, width = model_inputs(model)["images"].shape[1:3]
        truth = keras.Input((None, height, width), dtype="uint8", name=key)
    else:
        layer = KeypointTargets(count, answer[2], name="keypoint_targets")
        truth = keras.Input((None, answer[4], 3), name=key)
    rois = (sampled[name] for name in ("boxes", "classes", "objects"))
    found = layer(truth, *rois)
    outputs = head({**feature_maps(model, name, "boxes"), "boxes": found.pop("boxes")})
    return {key: truth}, {f"{key[:-1]}_{k}": v for k, v in found.items()} | outputs
