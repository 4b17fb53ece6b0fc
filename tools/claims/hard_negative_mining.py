"""SSD learns faster from its hardest background boxes than from all of them.

Paper: W. Liu et al., "SSD: Single Shot MultiBox Detector", 2016, section 2.2 ("Hard
negative mining": "We found that this leads to faster optimization and a more stable
training."), https://arxiv.org/abs/1512.02325

Measured: the average precision at an IoU of 0.5 on 300 scenes of 128 x 128 pixels with
up to four circles, squares and triangles, half way through and after 500 steps of 16 of
1500 scenes: with the three hardest background boxes for each positive one, and with
the loss of all of them, divided by the positive boxes, too. Body is Darknet-19 with an
eighth of its filters. There are 330 default boxes in place of the paper's 8732: so the
background outweighs the objects less here.

It holds if at every seed mining has the higher AP50 half way and at the end.
"""

from matplotlib.ticker import PercentFormatter

from kcv.boxes.targets import ssd_targets
from kcv.losses.detection import multibox_loss
from kcv.tools.claims import detection_runs, small_detectors
from kcv.tools.claims.over_seeds import SMALL, dots, of, told
from kcv.viz import style

CLAIM = "SSD learns faster with hard negative mining than from all background boxes."
IDS = ("D06",)

ARMS = {"mined": "the hardest", "all": "all background"}
COLORS = {"mined": style.BLUE, "all": style.ORANGE}
WHEN = {"half": "half way", "end": "at the end"}
STEPS = 500
EVERY = 10**6  # background boxes for a positive one


def every_background(decoding, batch, outputs):
    """The loss of SSD in which all background boxes count."""
    truth, crowd = (batch["boxes"], batch["classes"]), batch["crowd"] > 0
    found = ssd_targets(decoding.anchors, *truth, crowd=crowd)
    answers = (outputs["scores"], outputs["offsets"])
    return multibox_loss(found.classes, found.offsets, *answers, EVERY, EVERY)


LOSSES = {"mined": None, "all": every_background}


def run(seed, steps=STEPS, train=detection_runs.TRAIN, test=detection_runs.TEST):
    """Returns the precisions of both arms half way and at the end."""
    scenes = detection_runs.scenes("train", train, detection_runs.LARGE)
    test_scenes = detection_runs.scenes("test", test, detection_runs.LARGE)
    found = {}
    for arm, losses in LOSSES.items():
        learner = small_detectors.ssd_learner(losses)
        detection_runs.start(learner, seed)
        both = _reached(learner, scenes, test_scenes, steps, seed)
        for when, reached in zip(WHEN, both):
            found[f"{arm}_{when}"] = reached["ap50"]
    return found


def _reached(learner, scenes, test_scenes, steps, seed):
    """Precisions half way and at the end."""
    found = []

    def each(step):
        if step in (steps // 2, steps):
            found.append(detection_runs.precisions(learner.answer, test_scenes))

    detection_runs.train(learner, scenes, steps, seed, each)
    return found


def verdict(runs):
    """Holds if mining is ahead at every seed, half way and at the end."""
    holds = all(
        run[f"mined_{when}"] > run[f"all_{when}"] for run in runs for when in WHEN
    )
    each = [
        f"{title} AP50 {told(of(runs, f'mined_{when}'), '.1%')} with the hardest and "
        f"{told(of(runs, f'all_{when}'), '.1%')} with all background boxes"
        for when, title in WHEN.items()
    ]
    finding = "; ".join(each)
    return holds, f"{finding[0].upper()}{finding[1:]}."


def draw(runs, path):
    """Bars of the precisions half way and at the end."""
    with style.looks():
        figure = style.figure(10, 2.4)
        for axis, (when, title) in zip(figure.subplots(1, 2), WHEN.items()):
            groups = [of(runs, f"{arm}_{when}") for arm in ARMS]
            dots(axis, list(ARMS.values()), groups, list(COLORS.values()), ".1%")
            axis.xaxis.set_major_formatter(PercentFormatter(1))
            axis.set_title(f"test AP50 {title}")
        axis.set_title(f"{len(runs)} seeds", loc="right", **SMALL)
        return style.save(figure, path)
