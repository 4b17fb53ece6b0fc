"""SSD is faster, Faster R-CNN is more accurate.

Paper: J. Huang et al., "Speed/accuracy trade-offs for modern convolutional object
detectors", 2017, sections 4.1 and 5, https://arxiv.org/abs/1611.10012

Measured: both on Darknet-19 with an eighth of its filters, trained for 25 seconds each
on 1500 scenes of 128 x 128 pixels with up to four circles, squares and triangles: so
many steps of 16 as the least time of ten steps of each has room for. Their average
precision on 300 scenes, and the least time of ten calls from an image to its boxes.
Faster R-CNN looks at 300 proposals, as in the paper; with 24, which was tried first at
another seed, both took 10 ms.

It holds if at every seed SSD takes less time for an image and Faster R-CNN has the
higher average precision (COCO's, over IoUs of 0.5 to 0.95).
"""

from functools import partial

from matplotlib.ticker import PercentFormatter

from kcv.tools.claims import detection_runs, small_detectors
from kcv.tools.claims.over_seeds import SMALL, of, told
from kcv.viz import style

CLAIM = (
    "On one body and after equal training, SSD takes less time for an image and Faster "
    "R-CNN is more accurate."
)
IDS = ("D14",)

NAMES = {"ssd": "SSD", "faster_rcnn": "Faster R-CNN"}
COLORS = {"ssd": style.BLUE, "faster_rcnn": style.ORANGE}
SECONDS, REPEATS, PROPOSALS = 25.0, 10, 300
LEARNERS = {
    "ssd": small_detectors.ssd_learner,
    "faster_rcnn": partial(
        small_detectors.faster_rcnn_learner,
        side=detection_runs.LARGE,
        proposals=PROPOSALS,
    ),
}


def run(
    seed, seconds=SECONDS, train=detection_runs.TRAIN, test=detection_runs.TEST,
    repeats=REPEATS,
):  # fmt: skip
    """Returns times, steps and precisions of both detectors."""
    scenes = detection_runs.scenes("train", train, detection_runs.LARGE)
    test_scenes = detection_runs.scenes("test", test, detection_runs.LARGE)
    image = detection_runs.batch_of(test_scenes, [0])["images"]
    found = {}
    batch = detection_runs.batch_of(scenes, range(detection_runs.BATCH_SIZE))
    for name, make in LEARNERS.items():
        learner = make()
        detection_runs.start(learner, seed)  # a step learns, so it starts again below
        step = detection_runs.least_step(learner, batch, repeats)
        detection_runs.start(learner, seed)
        steps = max(1, int(seconds / step))
        detection_runs.train(learner, scenes, steps, seed)
        reached = detection_runs.precisions(learner.answer, test_scenes)
        once = detection_runs.seconds_of(partial(_found, learner, image), repeats)
        found |= {f"{name}_{key}": value for key, value in reached.items()}
        found |= {f"{name}_steps": float(steps), f"{name}_step_ms": 1e3 * step}
        found[f"{name}_image_ms"] = 1e3 * once
    return found


def _found(learner, image):
    return learner.answer(image)["boxes"].numpy()


def verdict(runs):
    """Holds if SSD is faster and Faster R-CNN better at every seed."""
    holds = all(
        run["ssd_image_ms"] < run["faster_rcnn_image_ms"]
        and run["ssd_ap"] < run["faster_rcnn_ap"]
        for run in runs
    )
    each = [
        f"{title} takes {told(of(runs, f'{name}_image_ms'), '.1f')} ms for an image "
        f"and reaches an AP of {told(of(runs, f'{name}_ap'), '.1%')} (AP50 "
        f"{told(of(runs, f'{name}_ap50'), '.1%')}) in "
        f"{told(of(runs, f'{name}_steps'), '.0f')} steps"
        for name, title in NAMES.items()
    ]
    return holds, f"{'; '.join(each)}."


def draw(runs, path):
    """Each seed as a dot: the precision over the time of an image."""
    with style.looks():
        figure = style.figure(7.4, 3.6)
        axis = figure.subplots()
        for name, title in NAMES.items():
            times, values = of(runs, f"{name}_image_ms"), of(runs, f"{name}_ap")
            axis.plot(times, values, "o", color=COLORS[name], label=title)
            axis.plot(times, of(runs, f"{name}_ap50"), "s", mfc="none",
                      color=COLORS[name], label=f"{title}, AP50")  # fmt: skip
        longest = max(max(of(runs, f"{name}_image_ms")) for name in NAMES)
        axis.set(title="test AP", xlabel="ms an image")
        axis.set(xlim=(0, 1.1 * longest), ylim=(0, 1))
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        axis.set_title(f"{len(runs)} seeds", loc="right", **SMALL)
        axis.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
        return style.save(figure, path)
