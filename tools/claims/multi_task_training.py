"""Class and box trained together are better than one after the other.

Paper: R. Girshick, "Fast R-CNN", 2015, section 5.1 and Table 6 ("Does multi-task
training help?"), https://arxiv.org/abs/1504.08083. Its small model has a mean AP of
52.2 % trained for classes alone, 53.3 % with both losses but boxes as proposed, 54.6 %
in stages, that is for classes and then for boxes with all else frozen, and 57.1 % with
both losses and boxes moved.

Measured: these four average precisions at an IoU of 0.5 of Fast R-CNN on 300 scenes of
64 x 64 pixels with up to four circles, squares and triangles, after 300 steps of 16 of
1500 scenes; in stages, 150 more for the boxes. Proposals are the same dense squares in
every image, 17, 22 and 28 pixels large and 5 apart, as in section 5.5 of the paper.
Body is Darknet-19 with a quarter of its filters.

It holds if at every seed both losses are better than the classes alone where boxes stay
as proposed, and better than the stages where they are moved.
"""

import functools

import numpy as np
import tensorflow as tf
from matplotlib.ticker import PercentFormatter

from kcv.boxes.anchors import grid, map_size
from kcv.losses.two_stage import two_stage_loss
from kcv.models.detection.fast_rcnn import fast_rcnn
from kcv.tools.claims import detection_runs, small_detectors
from kcv.tools.claims.over_seeds import SMALL, dots, of, told
from kcv.viz import style

CLAIM = (
    "Trained for class and box together, Fast R-CNN classifies better than for the "
    "class alone, and places boxes better than when they are learnt afterwards."
)
IDS = ("D03", "D09", "C17")

ARMS = {
    "class_alone": "class alone, boxes unmoved",
    "together_unmoved": "both, boxes unmoved",
    "in_stages": "class, then box",
    "together": "both",
}
PAPER = (0.522, 0.533, 0.546, 0.571)
COLORS = (style.ORANGE, style.BLUE, style.ORANGE, style.BLUE)
SIDE = detection_runs.SIDE
SQUARES, APART = (17, 22, 28), 5  # pixels
STEPS, BOX_STEPS = 300, 150
ROIS = 32  # of an image, that are learnt from
WEIGHTS = {  # of the losses; in this order, the last goes on from the first
    "class": {"class_loss": 1.0, "box_loss": 0.0},
    "both": {"class_loss": 1.0, "box_loss": 1.0},
    "box": {"box_loss": 1.0},
}


def run(
    seed, steps=STEPS, box_steps=BOX_STEPS, train=detection_runs.TRAIN,
    test=detection_runs.TEST,
):  # fmt: skip
    """Returns the precisions of the four arms."""
    scenes = _with_proposals(detection_runs.scenes("train", train))
    test_scenes = detection_runs.scenes("test", test)
    learners = {name: _learner(name) for name in WEIGHTS}
    found, alone, together, frozen = {}, *learners.values()
    for learner in learners.values():
        detection_runs.start(learner, seed)
        if learner is frozen:
            frozen.model.set_weights(alone.model.get_weights())
        count = box_steps if learner is frozen else steps
        detection_runs.train(learner, scenes, count, seed)
    answers = (
        ("class_alone", _answer(alone.model, moved=False)),
        ("together_unmoved", _answer(together.model, moved=False)),
        ("in_stages", _answer(frozen.model)),
        ("together", _answer(together.model)),
    )
    for name, answer in answers:
        found[name] = detection_runs.precisions(answer, test_scenes)["ap50"]
    return found


def dense_proposals():
    """Squares at places all over a scene, within it, float32 (n, 4), in pixels."""
    shapes = [(side, side) for side in SQUARES]
    places = map_size((SIDE, SIDE), APART)
    return np.clip(grid(places, APART, shapes), 0, SIDE)


def _with_proposals(scenes):
    boxes = dense_proposals()
    count = len(scenes["images"])
    return scenes | {"proposals": np.broadcast_to(boxes, (count, *boxes.shape))}


@functools.cache
def _learner(name):
    """Fast R-CNN that learns by the losses of a name in WEIGHTS."""

    def build():
        model = fast_rcnn(
            (SIDE, SIDE, 3), detection_runs.SHAPES, **small_detectors.body(SIDE),
            regions="align", units=128, proposals=len(dense_proposals()),
        )  # fmt: skip
        if name == "box":  # the last layer alone
            head = model.get_layer("roi_head")
            for layer in {*model.layers, *head.layers} - {head}:
                layer.trainable = layer.name == "offsets"
        return model

    def losses(decoding, batch, outputs):
        found = two_stage_loss(outputs)
        return {key: weight * found[key] for key, weight in WEIGHTS[name].items()}

    decoding = small_detectors.regions_of(SIDE)
    return detection_runs.learner(build, "two_stage", decoding, losses, rois=ROIS)


@functools.cache
def _answer(model, moved=True):
    """A traced function (images) -> detections, where boxes stay if not moved."""
    boxes = dense_proposals()

    def outputs(images):
        proposals = tf.repeat(boxes[None], tf.shape(images)[0], axis=0)
        found = model({"images": images, "proposals": proposals}, training=False)
        offsets = found["offsets"] if moved else tf.zeros_like(found["offsets"])
        return found | {"offsets": offsets, "proposals": proposals}

    return detection_runs.answers(small_detectors.regions_of(SIDE), outputs)


def verdict(runs):
    """Holds if both losses are better at every seed, boxes moved or not."""
    holds = all(
        run["together_unmoved"] > run["class_alone"]
        and run["together"] > run["in_stages"]
        for run in runs
    )
    values = {name: told(of(runs, name), ".1%") for name in ARMS}
    return holds, (
        f"AP50 with boxes as proposed: {values['class_alone']} trained for the class "
        f"alone and {values['together_unmoved']} for both; with boxes moved: "
        f"{values['in_stages']} in stages and {values['together']} for both."
    )


def draw(runs, path):
    """Bars of the four precisions."""
    with style.looks():
        figure = style.figure(7.4, 2.8)
        axis = figure.subplots()
        names = [f"{title}, paper {p:.1%}" for title, p in zip(ARMS.values(), PAPER)]
        dots(axis, names, [of(runs, name) for name in ARMS], COLORS, ".1%")
        axis.xaxis.set_major_formatter(PercentFormatter(1))
        axis.set_title("test AP50")
        axis.set_title(f"{len(runs)} seeds", loc="right", **SMALL)
        return style.save(figure, path)
