"""The order of the layers in a residual unit decides the error.

Paper: K. He, X. Zhang, S. Ren, J. Sun, "Identity Mappings in Deep Residual Networks",
2016, Table 2 and Figure 4, https://arxiv.org/abs/1603.05027

Measured: the test error of the five orders, in the 20 layers of `preact_resnet20` on
digits of 8 x 8 pixels: 120 steps of 64, momentum 0.9, rate 0.1 and 0.01 in the last
quarter. The paper has 110 and 164 layers, CIFAR-10 and 64,000 steps of 128; 110 layers
are too many for minutes on a CPU.

The paper's errors of 110 and 164 layers: full pre-activation 6.37 and 5.46 %, original
6.61 and 5.93, ReLU-only pre-activation 6.71 and 5.91, ReLU before the addition 7.84 and
6.14, batch normalisation after it 8.17 and 6.50. The second and the third change places
between the two depths: they count as equal here.

It holds if these four groups come in the paper's order beyond the spread: all seeds of
an order are below all seeds of the next group.
"""

from matplotlib.ticker import PercentFormatter

from kcv.models.classification import preact_resnet
from kcv.tools.claims import digits_runs, network_runs
from kcv.tools.claims.over_seeds import band, dots, of, told
from kcv.viz import style

CLAIM = (
    "Full pre-activation gives the lowest error of the five unit orders and batch "
    "normalisation after the addition the highest."
)
IDS = ("C10",)

PAPER = (  # from the lowest error
    ("full_preactivation",),
    ("original", "relu_only_preactivation"),
    ("relu_before_addition",),
    ("bn_after_addition",),
)
ORDERS = tuple(order for group in PAPER for order in group)
COLORS = dict(
    zip(ORDERS, (style.BLUE, style.INK, style.GREEN, style.ORANGE, style.VERMILION))
)
SHAPE = (8, 8, 1)


def run(seed, orders=ORDERS, steps=network_runs.STEPS):
    """Returns the test and training error of each order and the latter's course."""
    images, labels = digits_runs.digits("train")
    test_images, test_labels = digits_runs.digits("test")
    found = {}
    for order in orders:
        model = network_runs.fresh(seed, _build, network_runs.residual_optimizer, order)
        errors = network_runs.residual_run(model, 2 * images - 1, labels, seed, steps)
        last = errors[-network_runs.LAST :]
        found[order] = digits_runs.error(model, 2 * test_images - 1, test_labels)
        found[f"{order}_training"] = sum(last) / len(last)
        found[f"{order}_course"] = network_runs.smoothed(errors)
    return found


def _build(order):
    return preact_resnet.preact_resnet20(SHAPE, unit_order=order)


def verdict(runs):
    """Holds if the groups come in the paper's order beyond the spread."""
    groups = [[v for order in group for v in of(runs, order)] for group in PAPER]
    holds = all(max(low) < min(high) for low, high in zip(groups, groups[1:]))
    measured = sorted(ORDERS, key=lambda order: sum(of(runs, order)))
    numbers = ", ".join(
        f"{name_of(order)} {told(of(runs, order), '.1%')}" for order in measured
    )
    return holds, (
        f"Measured test errors, from the lowest: {numbers}; the paper has "
        + ", ".join(name_of(order) for order in ORDERS)
        + "."
    )


def name_of(order):
    """bn_after_addition is "BN after addition"."""
    words = order.replace("preactivation", "pre-activation").replace("_", " ")
    return words.replace("relu", "ReLU").replace("bn", "BN")


def draw(runs, path):
    """The courses of the training errors, and the test errors in the paper's order."""
    with style.looks():
        figure = style.figure(10.4, 3.8)
        course, test = figure.subplots(1, 2)
        for order in ORDERS:
            curves = of(runs, f"{order}_course")
            window = network_runs.smoothed(range(1, 1 + len(curves[0]) + 9))
            band(course, window, curves, COLORS[order], name_of(order))
        course.set(title="training error", xlabel="step", ylim=0)
        course.yaxis.set_major_formatter(PercentFormatter(1))
        course.legend(fontsize=9)
        groups = [of(runs, order) for order in ORDERS]
        names = [name_of(order) for order in ORDERS]
        dots(test, names, groups, list(COLORS.values()), ".1%")
        test.xaxis.set_major_formatter(PercentFormatter(1))
        test.set_title("test error, in the paper's order")
        return style.save(figure, path)
