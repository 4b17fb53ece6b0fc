"""Deeper plain networks train worse; residual networks do not.

Paper: K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition",
2015, section 4.2 and Figure 6, https://arxiv.org/abs/1512.03385

Measured: the training error, which is what the paper argues from, of plain-20,
plain-56, ResNet-20 and ResNet-56 with the paper's filters, on digits of 8 x 8 pixels:
the share of wrong answers in the last 20 of 120 batches of 64, momentum 0.9, rate 0.1
and 0.01 in the last quarter. The paper makes 64,000 steps of 128, with weight decay.

It holds if all seeds of plain-56 are above all of plain-20, and not all of ResNet-56
are above all of ResNet-20. (Before the first run the latter was allowed a difference of
means up to the range over the seeds, which excused a range from 12 to 75 %.)
"""

from matplotlib.ticker import PercentFormatter

from kcv.models.classification import cifar_resnet
from kcv.tools.claims import digits_runs, network_runs
from kcv.tools.claims.over_seeds import band, dots, of, told
from kcv.viz import style

CLAIM = "Plain-56 trains worse than plain-20, and ResNet-56 not worse than ResNet-20."
IDS = ("C09",)

BUILDERS = {
    "plain20": cifar_resnet.cifar_plain20,
    "plain56": cifar_resnet.cifar_plain56,
    "resnet20": cifar_resnet.cifar_resnet20,
    "resnet56": cifar_resnet.cifar_resnet56,
}
LABELS = {
    "plain20": ("plain-20", style.ORANGE),
    "plain56": ("plain-56", style.VERMILION),
    "resnet20": ("ResNet-20", style.GREEN),
    "resnet56": ("ResNet-56", style.BLUE),
}
SHAPE = (8, 8, 1)


def run(seed, names=tuple(BUILDERS), steps=network_runs.STEPS):
    """Returns the last training error of each network and its course."""
    images, labels = digits_runs.digits("train")
    found = {}
    for name in names:
        model = network_runs.fresh(
            seed, BUILDERS[name], network_runs.residual_optimizer, SHAPE
        )
        errors = network_runs.residual_run(model, 2 * images - 1, labels, seed, steps)
        last = errors[-network_runs.LAST :]
        found[name] = sum(last) / len(last)
        found[f"{name}_course"] = network_runs.smoothed(errors)
    return found


def verdict(runs):
    """Holds if only the plain network degrades with depth."""
    values = {name: of(runs, name) for name in BUILDERS}
    worse = {
        kind: min(values[f"{kind}56"]) > max(values[f"{kind}20"])
        for kind in ("plain", "resnet")
    }
    holds = worse["plain"] and not worse["resnet"]
    numbers = {name: told(values[name], ".1%") for name in BUILDERS}
    return holds, (
        f"The training error of the plain networks goes from {numbers['plain20']} with "
        f"20 layers to {numbers['plain56']} with 56, that of the residual ones from "
        f"{numbers['resnet20']} to {numbers['resnet56']}."
    )


def draw(runs, path):
    """The courses of the training errors, and the last ones."""
    with style.looks():
        figure = style.figure(9.6, 3.6)
        course, last = figure.subplots(1, 2)
        for name, (label, color) in LABELS.items():
            curves = of(runs, f"{name}_course")
            window = network_runs.smoothed(range(1, 1 + len(curves[0]) + 9))
            band(course, window, curves, color, label)
        course.set(title="training error", xlabel="step", ylim=0)
        course.yaxis.set_major_formatter(PercentFormatter(1))
        course.legend(
            ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=9
        )
        groups = [of(runs, name) for name in LABELS]
        labels, colors = zip(*LABELS.values())
        dots(last, labels, groups, colors, ".1%")
        last.xaxis.set_major_formatter(PercentFormatter(1))
        last.set_title("training error, last 20 steps")
        return style.save(figure, path)
