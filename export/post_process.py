"""A detector that decodes and suppresses itself, for MediaPipe and the Task Library.

    plain = kcv.edge.model_file.read("int8.tflite")
    content = fuse_post_process(plain)

MediaPipe's ObjectDetector and Android's Task Library load a detector as it is that ends
with TFLite_Detection_PostProcess, which comes with every TFLite runtime, where TFLite
Metadata names its four outputs. (MediaPipe alone also reads raw outputs with the
anchors in the metadata. It then knows no softmax and no background, the Task Library
does not load the file, and the thresholds are those of the app.)

Scores, boxes and choices are those of `kcv.edge.detect`, with three differences: boxes
are cut off at the border of the image after suppression, not before, they may grow more
than 62.5 times, and all candidates are compared, not only the best 1000. They are cut
off in the file because MediaPipe 1.2.2 would move a box from -4..20 to 0..24.
"""

from kcv.edge import detect, detect_fused
from kcv.edge.model_file import ModelFile
from kcv.export import detection_metadata, flatbuffer, metadata, post_process_graph
from kcv.export.errors import ExportError
from kcv.export.post_process_graph import OPERATOR


def fuse_post_process(
    model: ModelFile,
    max_detections: int = 100,
    score_threshold: float = 0.05,
    iou_threshold: float = 0.5,
) -> bytes:
    """Puts decoding and suppression into a file.

    Args:
        model: of a detector with "scores" and "offsets"; float32 or uint8 images.
        max_detections: how many things are found at most.
        score_threshold: only higher scores count, 0..1.
        iou_threshold: of two boxes of one class that overlap more, the one of the
            higher score is kept; above 0, at most 1.

    Returns:
        The whole file. It gives float32 "boxes" (1, max_detections, 4), y1, x1, y2, x2
        in shares of the image, "classes" and "scores" (1, max_detections), by falling
        score, and "count" (1,), how many of them there are.

    Raises:
        ExportError: the operator cannot decode such a model, or an option is wrong.
        EdgeError: kcv.json does not say how to decode boxes.
    """
    _check_options(max_detections, score_threshold, iou_threshold)
    decoding = _decoding_of(model)
    file = flatbuffer.parse(model.flatbuffer)
    labels = _labels_of(model, decoding, flatbuffer.read(file))
    thresholds = {
        "max_detections": max_detections,
        "score_threshold": score_threshold,
        "iou_threshold": iou_threshold,
    }
    shapes = post_process_graph.append(file, decoding, **thresholds)

    # What the file says of itself.
    name, channels = model.manifest["model"], model.inputs["images"]["shape"][-1]
    info = detection_metadata.detection_metadata(
        name, channels, model.mean, model.std, "labels.txt"
    )
    flatbuffer.add_metadata(file, "TFLITE_METADATA", info)
    flatbuffer.drop_unused(file)
    outputs = {
        output: {"shape": list(shape), "dtype": "float32"}
        for output, shape in shapes.items()
    }
    inside = decoding._replace(scores=detect_fused.INSIDE, anchors=())
    hashes = dict(model.manifest["hashes"])
    manifest = model.manifest | {
        "signature": {"inputs": model.inputs, "outputs": outputs},
        "labels": list(labels),
        "decoding": detect.to_json(inside) | thresholds,
        "metrics": {},  # those measured are of the plain file
        "hashes": {"plain": hashes.pop("flatbuffer"), **hashes},
    }
    return metadata.append_files(flatbuffer.pack(file), labels, manifest)


def _check_options(max_detections, score_threshold, iou_threshold):
    if type(max_detections) is not int or max_detections < 1:
        raise ExportError(
            f"max_detections must be an integer of 1 or more, not {max_detections!r}"
        )
    if not 0 <= score_threshold < 1:
        raise ExportError(
            f"score_threshold must be 0 or more and below 1, not {score_threshold}"
        )
    if not 0 < iou_threshold <= 1:
        raise ExportError(
            f"iou_threshold must be above 0 and at most 1, not {iou_threshold}"
        )


def _decoding_of(model):
    """The model's `Decoding`, if it is one that the operator and MediaPipe know."""
    if model.task != "detection":
        raise ExportError(
            f"{model.path}: task {model.task!r} finds no boxes to suppress; give the "
            "file of a detector"
        )
    if detect_fused.is_fused(model):
        raise ExportError(f"{model.path}: is fused already; give the plain file")
    images = model.inputs.get("images", {"shape": [], "dtype": "missing"})
    if images["dtype"] not in ("uint8", "float32"):
        raise ExportError(
            f"{model.path}: images are {images['dtype']}, MediaPipe gives uint8 or "
            "float32; export it with io='uint8'"
        )
    decoding = detect.read_decoding(model, tuple(images["shape"][1:3]))
    if decoding.scores not in ("softmax", "sigmoid") or decoding.offsets != "log":
        raise ExportError(
            f"{model.path}: {OPERATOR} decodes softmax or sigmoid scores with log "
            f"offsets, not {decoding.scores} with {decoding.offsets}; kcv.edge reads "
            "this file as it is"
        )
    return decoding


def _labels_of(model, decoding, graph):
    """Names of the classes; numbers where the file has none, as in kcv.edge."""
    count, width = graph.tensors[graph.outputs["scores"]].shape[1:]
    if len(decoding.anchors) != count:
        raise ExportError(
            f"{model.path}: kcv.json has {len(decoding.anchors)} anchors for {count} "
            "offsets; export it again"
        )
    classes = width - (decoding.scores == "softmax")  # the first is the background
    labels = model.labels or tuple(str(k) for k in range(classes))
    if len(labels) != classes:
        raise ExportError(
            f"{model.path}: kcv.json has {len(labels)} labels for {classes} classes; "
            "export it again"
        )
    return labels
