"""The operators of a fused detector, from its logits and offsets to detections.

https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/kernels/detection_postprocess.cc
says what TFLite_Detection_PostProcess takes and does.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

from kcv.export import flatbuffer
from kcv.export.append import Appender

OPERATOR = "TFLite_Detection_PostProcess"
OUTPUTS = ("boxes", "classes", "scores", "count")  # in the order of the operator
COLUMNS = (1, 0, 3, 2)  # of offsets dx, dy, dw, dh, as the operator takes them


def append(file, decoding, max_detections, score_threshold, iou_threshold) -> dict:
    """Adds decoding and suppression to a parsed file, in place.

    Args:
        file: what `flatbuffer.parse` returned, with outputs "scores" and "offsets".
        decoding: kcv.edge.detect.Decoding of softmax or sigmoid and of log.
        max_detections: as for `post_process.fuse_post_process`, as are the others.
        score_threshold: likewise.
        iou_threshold: likewise.

    Returns:
        {name: shape} of the new outputs.
    """
    graph, end = flatbuffer.read(file), Appender(file)
    shapes = ((1, max_detections, 4), (1, max_detections), (1, max_detections), (1,))
    found = [  # named as in the files of the Object Detection API
        end.tensor(f"{OPERATOR}:{k}" if k else OPERATOR, shape)
        for k, shape in enumerate(shapes)
    ]
    scores = _probabilities(end, graph, decoding.scores)
    offsets = _ordered_offsets(end, graph)
    anchors = end.constant("anchors", _anchors(decoding))
    uncut = end.tensor("boxes_uncut", shapes[0])
    width = graph.tensors[graph.outputs["scores"]].shape[-1]
    dx, dy, dw, dh = decoding.variances
    options = {
        "max_detections": max_detections,
        "detections_per_class": max_detections,
        "max_classes_per_detection": 1,
        "use_regular_nms": True,  # within each class; the other kind is across classes
        # The operator also takes scores that equal the threshold.
        "nms_score_threshold": float(np.nextafter(np.float32(score_threshold), 2)),
        "nms_iou_threshold": iou_threshold,
        "num_classes": width - (decoding.scores == "softmax"),
        "y_scale": 1 / dy,
        "x_scale": 1 / dx,
        "h_scale": 1 / dh,
        "w_scale": 1 / dw,
    }
    outputs, options = [uncut, *found[1:]], flexbuffers.Dumps(options)
    end.custom(OPERATOR, [offsets, scores, anchors], outputs, options)
    _cut_off(end, uncut, found[0], shapes[0])
    _set_outputs(file, dict(zip(OUTPUTS, found)))
    return dict(zip(OUTPUTS, shapes))


def _probabilities(end, graph, kind):
    """Those of every class, and of the background where there is one."""
    index = graph.outputs["scores"]
    logits = end.as_float(index)
    made = end.tensor("probabilities", graph.tensors[index].shape)
    if kind == "softmax":
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        end.builtin("SOFTMAX", [logits], [made], options)
    else:
        end.builtin("LOGISTIC", [logits], [made])
    return made


def _ordered_offsets(end, graph):
    index = graph.outputs["offsets"]
    offsets = end.as_float(index)
    columns = end.constant("columns", np.array(COLUMNS, np.int32))
    made = end.tensor("offsets_yxhw", graph.tensors[index].shape)
    options = schema.GatherOptionsT()
    options.axis = 2
    end.builtin("GATHER", [offsets, columns], [made], options)
    return made


def _anchors(decoding):
    """Anchors as the operator takes them: centre y, centre x, height, width, 0..1."""
    height, width = decoding.image_size
    x1, y1, x2, y2 = decoding.anchors.astype("float64").T
    columns = (
        (y1 + y2) / (2 * height),
        (x1 + x2) / (2 * width),
        (y2 - y1) / height,
        (x2 - x1) / width,
    )
    return np.stack(columns, axis=-1).astype("float32")


def _cut_off(end, boxes, made, shape):
    """Ends boxes at the border of the image."""
    positive = end.tensor("boxes_positive", shape)
    zero, one = (end.constant(f"limit_{x}", np.float32(x)) for x in (0, 1))
    for name, inputs, output in (
        ("MAXIMUM", [boxes, zero], positive),
        ("MINIMUM", [positive, one], made),
    ):
        end.builtin(name, inputs, [output], schema.MaximumMinimumOptionsT())


def _set_outputs(file, outputs):
    """Makes {name: tensor} the outputs of the file and of its signature."""
    file.subgraphs[0].outputs = np.array(list(outputs.values()), np.int32)
    maps = []
    for name, index in sorted(outputs.items()):  # as TensorFlow writes them
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, index
        maps.append(entry)
    file.signatureDefs[0].outputs = maps
