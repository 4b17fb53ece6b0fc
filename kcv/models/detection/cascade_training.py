"""How a cascade trains: all stages at once, as a detector of two stages, and its masks.

Paper: J. Dai, K. He, J. Sun, "Instance-aware Semantic Segmentation via Multi-task
Network Cascades", 2016, section 3.4 (the losses of all stages are added; a later one
depends on what an earlier one says), https://arxiv.org/abs/1512.04412

Differs from the paper: masks are learned in RoIs with an IoU of 0.5 and more with an
object, those that classes are learned in, too.
"""

import keras
from keras import ops

from kcv.layers.instance_targets import MaskTargets
from kcv.models.detection.stages import model_inputs
from kcv.models.detection.two_stage import training_graph


def cascade_graph(model, **options):
    """The graph that a multi-task network cascade is trained by.

    Args:
        model: of `mnc`, or loaded.
        **options: of `two_stage.training_graph`.

    Returns:
        A model as of `two_stage.training_graph`, from "masks": uint8 (batch, m, height,
        width) of the objects, too, to "mask_classes": int32 (batch, k), 1 for a RoI
        with an object, whatever its class, 0 without, -1 is left out, "mask_targets":
        float32 (batch, k, size, size) and "masks": (batch, k, size, size, 1) of the
        first k RoIs, with which `two_stage_loss` makes a mask loss.

    Raises:
        ValueError: as `training_graph`, or the model has no masks.
    """
    graph = training_graph(model, **options)
    outputs = dict(graph.output)
    if "masks" not in outputs:
        raise ValueError(f"{model.name} has no masks in its second stage: give a mnc")
    count = graph.get_layer("sampled_rois").max_positive  # those with an object first
    height, width = model_inputs(model)["images"].shape[1:3]
    truth = keras.Input((None, height, width), dtype="uint8", name="masks")
    layer = MaskTargets(count, outputs["masks"].shape[2], name="mask_targets")
    rois = (outputs[name] for name in ("rois", "roi_classes", "roi_objects"))
    found = layer(truth, *rois)
    outputs |= {
        "masks": outputs["masks"][:, :count],
        "mask_classes": ops.minimum(found["classes"], 1),
        "mask_targets": found["targets"],
    }
    inputs = {**graph.input, "masks": truth}
    return keras.Model(inputs, outputs, name=graph.name)
