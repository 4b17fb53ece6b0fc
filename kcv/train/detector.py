"""What the training loop needs to know about detectors."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from keras import ops

from kcv.boxes import coding, nms, targets
from kcv.boxes.decoding import Decoding, decode
from kcv.losses.detection import multibox_loss, retinanet_loss
from kcv.losses.two_stage import two_stage_loss
from kcv.losses.yolo_v1 import yolo_v1_loss
from kcv.losses.yolo_v2 import yolo_v2_loss
from kcv.models.detection.cascade_training import cascade_graph
from kcv.models.detection.two_stage import training_graph
from kcv.train import instances, run_folder
from kcv.train.word_losses import word_losses
from kcv.viz.detected import save_detected

KEYS = ("boxes", "classes", "crowd")  # of a batch: what is to be found
# As COCO's evaluation has it; the device takes fewer.
LEAST_SCORE, MOST = 0.01, 100
FEW = 20  # of an image, in validation where each has a mask or keypoints: dear ones
PRECISIONS = ("ap", "ap50", "ap75")
# Of samples.png: pictures, least score of what is drawn, objects in a picture.
SAMPLES, SHOWN, SLOTS = 12, 0.5, 20


class Method(NamedTuple):
    """How a family of detectors learns and answers.

    Args:
        scores: see Decoding.
        offsets: see Decoding.
        losses: function (decoding, batch, outputs) -> {"name": (b,)}.
        variances: see Decoding.
        targets: function (decoding, batch) -> int (b, n), the class that each anchor
            answers for, matching.BACKGROUND or matching.IGNORED; for pictures.
        graph: function (model, **options) -> the graph that is trained in place of the
            model, from what of a batch its inputs name; None: the model itself.
        keys: of a batch, what it learns from and is judged by beyond KEYS: "masks" or
            "keypoints".
    """

    scores: str
    offsets: str
    losses: Callable
    variances: tuple[float, float, float, float] = coding.NO_VARIANCES
    targets: Callable | None = None
    graph: Callable | None = None
    keys: tuple[str, ...] = ()


def _ssd_targets(decoding, batch):
    truth = (batch["boxes"], batch["classes"])
    return targets.ssd_targets(decoding.anchors, *truth, crowd=batch["crowd"] > 0)


def _ssd_losses(decoding, batch, outputs):
    found = _ssd_targets(decoding, batch)
    answers = (outputs["scores"], outputs["offsets"])
    # An image without objects teaches, too: what is none.
    return multibox_loss(found.classes, found.offsets, *answers, at_least=3)


def _retinanet_targets(decoding, batch):
    truth = (batch["boxes"], batch["classes"])
    return targets.retinanet_targets(decoding.anchors, *truth, crowd=batch["crowd"] > 0)


def _retinanet_losses(decoding, batch, outputs):
    found = _retinanet_targets(decoding, batch)
    answers = (outputs["scores"], outputs["offsets"])
    return retinanet_loss(found.classes, found.offsets, *answers)


def _cells(batch):
    """Boxes and classes for YOLO, which knows no crowds: they teach nothing."""
    classes = ops.where(batch["crowd"] > 0, -1, ops.cast(batch["classes"], "int32"))
    return batch["boxes"], classes


def _yolo_v1_losses(decoding, batch, outputs):
    places = (decoding.anchors, decoding.image_size)
    return yolo_v1_loss(*_cells(batch), outputs, *places)


def _yolo_v2_losses(decoding, batch, outputs):
    places = (decoding.anchors, decoding.image_size, decoding.stride)
    return yolo_v2_loss(*_cells(batch), outputs, *places)


_TWO_STAGE = Method(
    "softmax",
    "regions",
    lambda decoding, batch, outputs: two_stage_loss(outputs),
    coding.SSD_VARIANCES,
    graph=training_graph,
)

METHODS = {
    "ssd": Method(
        "softmax",
        "log",
        _ssd_losses,
        coding.SSD_VARIANCES,
        lambda decoding, batch: _ssd_targets(decoding, batch).classes,
    ),
    "retinanet": Method(
        "sigmoid",
        "log",
        _retinanet_losses,
        targets=lambda decoding, batch: _retinanet_targets(decoding, batch).classes,
    ),
    "yolo_v1": Method("confidence", "roots", _yolo_v1_losses),
    "yolo_v2": Method("objectness", "sigmoid", _yolo_v2_losses),
    "two_stage": _TWO_STAGE,
    "mask_rcnn": _TWO_STAGE._replace(keys=("masks",)),
    "keypoint_rcnn": _TWO_STAGE._replace(keys=("keypoints",)),
    "cascade": _TWO_STAGE._replace(graph=cascade_graph, keys=("masks",)),
    "yolo_9000": Method("tree", "sigmoid", word_losses),
}


def decoding_of(entry, image_shape, shapes=None, parents=()) -> Decoding:
    """The `Decoding` of a model of the zoo.

    Args:
        entry: its row.
        image_shape: (height, width, channels) of its images.
        shapes: (k, 2), width and height of anchors that were found by clustering, in
            pixels; None for the model's own.
        parents: of the WordTree, where classes are words of one.
    """
    method = METHODS[entry.method]
    anchors = None
    if method.offsets != "regions":
        options = {} if shapes is None else {"shapes": shapes}
        anchors = entry.anchors(input_shape=tuple(image_shape), **options)
    return Decoding(
        method.scores,
        method.offsets,
        anchors,
        tuple(image_shape[:2]),
        method.variances,
        entry.stride,
        tuple(parents),
    )


def detector_losses(method: str, decoding: Decoding):
    """Makes the `losses(model, batch, training)` of a detector, for `loop.train`.

    Args:
        method: a key of METHODS; where it has a graph, that is the model.
        decoding: of the model.
    """

    def losses(model, batch, training):
        inputs = batch["images"]
        if METHODS[method].graph:
            inputs = {name: batch[name] for name in model.input}
        outputs = model(inputs, training=training)
        return METHODS[method].losses(decoding, batch, outputs), {}

    return losses


def detect(decoding: Decoding, outputs, score_threshold=LEAST_SCORE, most=MOST):
    """What a model has found.

    Args:
        decoding: of the model.
        outputs: of the model, see `kcv.boxes.decoding.decode`.
        score_threshold: only higher scores count.
        most: how many detections at most.

    Returns:
        {"boxes": (b, most, 4), "scores": (b, most), "classes": int32 (b, most)}, by
        falling score, class -1 where there are fewer; and what
        `instances.of_detections` adds for a model with masks or keypoints.
    """
    boxes, scores = decode(decoding, outputs)
    found = nms.detections(
        boxes,
        scores,
        score_threshold=score_threshold,
        output_size=most,
        candidates=4 * most,
    )
    found = {name: found[name] for name in ("boxes", "scores", "classes")}
    if "mask_boxes" in outputs:
        found |= instances.of_detections(outputs, boxes, scores, found)
    return found


def average_precisions(answer, data, classes: int, keys=()) -> dict:
    """COCO's average precisions of all batches.

    Args:
        answer: function (images) -> detections, as of `detect`.
        data: batches.
        classes: number of classes.
        keys: what is judged beyond boxes, of a `Method`.

    Returns:
        {"ap", "ap50", "ap75"}, 0..1, and "mask_ap", ... or "keypoint_ap", ....
    """
    metrics = {}
    for batch in data:
        images = batch["images"]
        found = instances.in_images(answer(images), tuple(images.shape[1:3]))
        truths = {key: np.asarray(batch[key]) for key in (*KEYS, *keys)}
        instances.add(metrics, truths, found, classes, keys)
    return instances.precisions(metrics, PRECISIONS)


def make_evaluate(
    model, decoding, data: Callable, classes: int, keys=(), most: int = MOST
):
    """Returns a function () -> dict of average precisions, traced once.

    Args:
        model: the detector.
        decoding: of the model.
        data: function () -> batches.
        classes: number of classes.
        keys: as for `average_precisions`.
        most: as for `detect`.
    """

    @tf.function(reduce_retracing=True)
    def answer(images):
        return detect(decoding, model(images, training=False), most=most)

    return lambda: average_precisions(answer, data(), classes, keys)


def guess(data, classes: int, keys=()) -> dict:
    """Average precisions of one who answers with the objects of the image before."""
    truths = {key: [] for key in (*KEYS, *keys)}
    for batch in data:
        own = {key: np.asarray(batch[key]) for key in truths}
        for key, values in instances.compact(own).items():
            truths[key].extend(values)
    answers = {key: [x[-1], *x[:-1]] for key, x in truths.items() if key != "crowd"}
    answers["scores"] = [np.ones(len(own)) for own in answers["classes"]]
    metrics = {}
    instances.add(metrics, truths, answers, classes, keys)
    return instances.precisions(metrics, PRECISIONS)


def write_results(
    model, decoding, data: Callable, history, folder, facts: dict, keys=()
):
    """Measures a trained detector and writes everything a run leaves behind.

    Writes model.keras, metrics.json, history.csv and the pictures curves.png and
    samples.png.

    Args:
        model: the trained model.
        decoding: of the model.
        data: function () -> batches of the test split.
        history: of `loop.train`.
        folder: where to write.
        facts: joins metrics.json; "labels" and "pixel_range" are needed here.
        keys: as for `average_precisions`.

    Returns:
        The average precisions of the test split.
    """
    names = facts["labels"]
    scores = make_evaluate(model, decoding, data, len(names), keys)()
    blind = guess(data(), len(names), keys)
    blind = {f"baseline_{name}": value for name, value in blind.items()}
    run_folder.write(folder, model, history, facts, scores | blind)
    batch = next(iter(data()))
    batch = {key: np.asarray(value[:SAMPLES]) for key, value in batch.items()}
    found = detect(decoding, model(batch["images"], training=False), SHOWN, SLOTS)
    found = instances.in_images(found, batch["images"].shape[1:3])
    truths = {key: batch[key] for key in ("boxes", "classes")}
    places = (names, folder / "samples.png", facts["pixel_range"])
    save_detected(batch["images"], found, truths, *places, least=SHOWN)
    return scores
