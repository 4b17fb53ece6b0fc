"""R-CNN, Fast R-CNN and Faster R-CNN: each takes a fraction of the time of the former.

Papers: R. Girshick et al., "Rich feature hierarchies for accurate object detection and
semantic segmentation", 2014, https://arxiv.org/abs/1311.2524; R. Girshick, "Fast
R-CNN", 2015, Table 4, https://arxiv.org/abs/1504.08083; S. Ren et al., "Faster R-CNN",
2015, Table 5, https://arxiv.org/abs/1506.01497. Their times with VGG-16 on a GPU are
often told as 50, 2 and 0.2 s an image with the proposals: 1, 25 and 250 times as fast.

Measured: the time from the pixels of a drawn scene of 256 x 256 pixels to the boxes
behind non-maximum suppression, of three detectors on VGG-16 with half of its filters
and 20 classes. Weights are random, as time does not depend on them. R-CNN sees each box
of selective search (400 to 1,200 of such images, 2,000 in the papers), warped to 96 x
96 pixels: a thousand have 140 times the pixels of the image, in the papers 170 times.
Fast R-CNN pools the same boxes, Faster R-CNN the 300 of its own network. Two dense
layers of 512 units, which keep their share of the work, in place of 4096. R-CNN runs
once behind a batch that traces it; of the others and of selective search the least time
of a few calls counts. The time without proposals leaves out selective search.

It holds if with the proposals at every seed Fast R-CNN is at least five times as fast
as R-CNN, and Faster R-CNN at least five times as fast as Fast R-CNN. The papers'
factors, 25 and 10, are those of a GPU beside one core for the proposals; on a CPU the
networks take more of the time.
"""

import time

import keras
import numpy as np
import tensorflow as tf

from kcv.boxes import coding
from kcv.boxes.decoding import Decoding
from kcv.classic.selective_search import selective_search
from kcv.data.scenes import views
from kcv.models.detection import fast_rcnn, faster_rcnn, rcnn
from kcv.tools.claims import detection_runs
from kcv.tools.claims.over_seeds import SMALL, dots, of, told
from kcv.train import rcnn as rcnn_training
from kcv.viz import style

CLAIM = (
    "With one body, Fast R-CNN takes a fraction of the time that R-CNN takes for an "
    "image, and Faster R-CNN a fraction of that."
)
IDS = ("D02", "D03", "D04")

NAMES = {"rcnn": "R-CNN", "fast_rcnn": "Fast R-CNN", "faster_rcnn": "Faster R-CNN"}
SIDE, REGION, ALPHA, UNITS, CLASSES = 256, 96, 0.5, 512, 20
MOST, OWN = 2000, 300  # proposals of selective search, and of Faster R-CNN
REPEATS, SEARCHES = 5, 2
TIMES = 5


def run(seed, side=SIDE, region=REGION, alpha=ALPHA, units=UNITS, repeats=REPEATS):
    """Returns the seconds of each part and of each detector with and without them."""
    config = views.config_of("detection", side)
    image = views.record("detection", config, "test", seed, 0)["images"]
    keras.utils.set_random_seed(seed)
    boxes = selective_search(image)[:MOST]
    search = detection_runs.seconds_of(lambda: selective_search(image), SEARCHES - 1)
    body = {"body": "vgg16", "alpha": alpha, "units": units}
    without = {
        "rcnn": _rcnn(image, boxes, region, body),
        "fast_rcnn": _fast_rcnn(image, boxes, body, repeats),
        "faster_rcnn": _faster_rcnn(image, body, repeats),
    }
    found = {"proposals": float(len(boxes)), "selective_search_seconds": search}
    for name, seconds in without.items():
        both = seconds + (0 if name == "faster_rcnn" else search)
        found[f"{name}_seconds"] = both
        found[f"{name}_seconds_without_proposals"] = seconds
    for name in NAMES:
        for end in ("", "_without_proposals"):
            first = found[f"rcnn_seconds{end}"]
            found[f"{name}_times{end}"] = first / found[f"{name}_seconds{end}"]
    return found


def _rcnn(image, boxes, region, body):
    """Seconds of R-CNN for an image whose proposals are known."""
    shape = (region, region, 3)
    model = rcnn.rcnn(shape, CLASSES, **body)
    predict = tf.function(model, reduce_retracing=True)

    def answer(some):
        return list(rcnn_training.detect(predict, [image], [some], shape))

    size = min(len(boxes), rcnn_training.REGIONS)
    answer(boxes[:size])  # traces: a batch has this size
    begin = time.perf_counter()
    answer(boxes)
    return time.perf_counter() - begin


def _fast_rcnn(image, boxes, body, repeats):
    """Seconds of Fast R-CNN likewise."""
    model = fast_rcnn.fast_rcnn(image.shape, CLASSES, proposals=len(boxes), **body)

    def outputs(images):
        inputs = {"images": images, "proposals": tf.constant(boxes[None], "float32")}
        return model(inputs, training=False) | inputs

    return _seconds(image, outputs, repeats)


def _faster_rcnn(image, body, repeats):
    """Seconds of Faster R-CNN, which makes its proposals."""
    model = faster_rcnn.faster_rcnn(
        image.shape, CLASSES, regions="pool", proposals=OWN,
        rpn_filters=body["units"] // 2, **body,
    )  # fmt: skip
    return _seconds(image, lambda images: model(images, training=False), repeats)


def _seconds(image, outputs, repeats):
    decoding = Decoding(
        "softmax", "regions", None, image.shape[:2], coding.SSD_VARIANCES
    )

    answer = detection_runs.answers(
        decoding, lambda images: outputs(tf.cast(images, "float32") / 127.5 - 1)
    )
    return detection_runs.seconds_of(
        lambda: np.asarray(answer(image[None])["boxes"]), repeats
    )


def verdict(runs):
    """Holds if each is TIMES as fast as the one before, proposals included."""
    seconds = {name: of(runs, f"{name}_seconds") for name in NAMES}
    holds = all(
        slow >= TIMES * fast
        for slower, faster in (("rcnn", "fast_rcnn"), ("fast_rcnn", "faster_rcnn"))
        for slow, fast in zip(seconds[slower], seconds[faster])
    )
    with_them = ", ".join(
        f"{title} {told(seconds[name], '.2g')} s" for name, title in NAMES.items()
    )
    return holds, (
        f"An image takes {with_them}: 1, {_times(runs, 'fast_rcnn')} and "
        f"{_times(runs, 'faster_rcnn')} times as fast as R-CNN (the papers: 1, 25 and "
        f"250); without the {told(of(runs, 'selective_search_seconds'), '.2g')} s of "
        f"selective search 1, {_times(runs, 'fast_rcnn', '_without_proposals')} and "
        f"{_times(runs, 'faster_rcnn', '_without_proposals')} times."
    )


def _times(runs, name, end=""):
    return told(of(runs, f"{name}_times{end}"), ".0f")


def draw(runs, path):
    """Bars of the seconds, on a scale of powers, and of the times as fast."""
    with style.looks():
        figure = style.figure(11, 2.8)
        for axis, (end, title) in zip(
            figure.subplots(1, 2),
            (("", "with the proposals"), ("_without_proposals", "without them")),
        ):
            groups = [of(runs, f"{name}_times{end}") for name in NAMES]
            colors = (style.VERMILION, style.ORANGE, style.BLUE)
            rows = [
                f"{title}\n{told(of(runs, f'{name}_seconds{end}'), '.2g')} s"
                for name, title in NAMES.items()
            ]
            dots(axis, rows, groups, colors, ".0f")
            axis.set_title(f"times as fast as R-CNN, {title}")
            axis.set_title(f"{len(runs)} seeds", loc="right", **SMALL)
        return style.save(figure, path)
