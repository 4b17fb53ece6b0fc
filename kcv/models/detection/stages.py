"""A two-stage detector cut where boxes go in and out, so that the rest can be int8.

Images -> `proposal_stage` -> maps and answers at anchors -> proposals and RoIAlign in
float -> regions -> `head_stage` -> scores and offsets. In int8 RoIAlign loses the
places of its boxes; `roi_stage`, which has it in its graph, is for float files or for
those of int8 weights alone.

The parts are made of any model, loaded ones too, and share its layers: a head is a
model in the model, whose inputs are named as the layers that give the maps.
"""

import keras

RPN_OUTPUTS = ("proposal_scores", "proposal_offsets")
INSTANCE_HEADS = {"mask_head": "masks", "keypoint_head": "keypoints"}


def proposal_stage(model):
    """The first half: images to feature maps and what the RPN answers at its anchors.

    It has no box in it, so that it can be int8.

    Args:
        model: of a builder, or loaded, with a region proposal network.

    Returns:
        A model from images to {"proposal_scores": (batch, n), "proposal_offsets":
        (batch, n, 4)} and the maps that the second half reads, under their names.
    """
    answers = {name: model.output[name] for name in RPN_OUTPUTS}
    outputs = {**feature_maps(model), **answers}
    return keras.Model(model.input, outputs, name=f"{model.name}_proposals")


def roi_stage(model, rois=None):
    """The second half: feature maps and RoIs to scores and offsets.

    Args:
        model: of a builder, or loaded.
        rois: of an image; None: as many as the model has proposals.

    Returns:
        A model from the maps of `proposal_stage` and "proposals", float32 (batch, rois,
        4), x1, y1, x2, y2 in pixels, to {"scores", "offsets"} of the model.
    """
    count = rois or model.output["scores"].shape[1]
    return stage(model, "roi_head", "proposals", count, f"{model.name}_rois")


def head_stage(model, rois=None, head="roi_head"):
    """What is behind the regions alone: it has no box in it, so that it can be int8.

    Regions are what RoIAlign makes of the maps and the boxes; in int8 it would lose the
    places of the boxes.

    Args:
        model: of a builder, or loaded.
        rois: of an image; None: as many as the model has proposals.
        head: "roi_head", "mask_head" or "keypoint_head".

    Returns:
        A model from regions, float32 (batch, rois, bins, bins, channels), to the
        outputs of the head.

    Raises:
        ValueError: the model has no such head, or nothing behind its regions.
    """
    inner = head_of(model, head)
    if "regions" not in [layer.name for layer in inner.layers]:
        raise ValueError(f"{model.name} has no layer behind the regions of {head}")
    made = inner.get_layer("regions").output
    count = rois or model.output["scores"].shape[1]
    regions = keras.Input((count, *made.shape[2:]), name="regions")
    outputs = keras.Model(made, inner.output)(regions)
    return keras.Model(regions, outputs, name=f"{model.name}_{head}")


def stage(model, head, boxes, count, name):
    """A head as a model of its own, of a fixed number of boxes.

    Args:
        model: of a builder, or loaded.
        head: name of the layer.
        boxes: name of its input for boxes.
        count: of boxes.
        name: of the new model.
    """
    inputs = {
        key: keras.Input(x.shape[1:], name=key)
        for key, x in feature_maps(model, head, boxes).items()
    }
    inputs[boxes] = keras.Input((count, 4), name=boxes)
    return keras.Model(inputs, model.get_layer(head)(inputs), name=name)


def feature_maps(model, head="roi_head", boxes="proposals"):
    """{name: map} that a head of the model reads, in the model's own graph."""
    names = [name for name in model.get_layer(head).input if name != boxes]
    return {name: model.get_layer(name).output for name in names}


def model_inputs(model):
    """{"images": ...} of the model, with "proposals" where they come from outside."""
    inputs = model.input
    return dict(inputs) if isinstance(inputs, dict) else {"images": inputs}


def instance_head(model):
    """Name of the model's head for masks or keypoints, None if it has neither."""
    names = [layer.name for layer in model.layers]
    return next((head for head in INSTANCE_HEADS if head in names), None)


def head_of(model, name="roi_head"):
    """A head of the model; ValueError if it has none of that name."""
    if name not in [layer.name for layer in model.layers]:
        raise ValueError(
            f"{model.name} has no layer {name!r}: give a detector of two stages"
        )
    return model.get_layer(name)
