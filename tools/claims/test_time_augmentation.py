"""A network that looks at several crops of a picture errs less than on one.

Paper: A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks", 2012, sections 4.1 and 6.1

Measured: a network of two convolutions learns 300 digits, enlarged to 16 x 16 pixels,
by 400 steps of Adam on crops of 14 x 14 at random places. All other digits, some 1,500,
are then classified by their middle and by the mean over the middle and four corners.
Not over mirrored crops, as in the paper: a mirrored digit is none.

It holds if at every seed the error of the five crops is below that of the middle.
"""

import numpy as np
from matplotlib.ticker import PercentFormatter

from kcv.models.test_time import test_time_augmented
from kcv.tools.claims import digits_runs, network_runs
from kcv.tools.claims.over_seeds import dots, of, told
from kcv.viz import style

CLAIM = "The mean over several crops has a lower error than the middle crop alone."
IDS = ("F14",)

SIZE, CROP = 16, 14  # pixels
LEARNED, STEPS, BATCH_SIZE = 300, 400, 32


def run(seed, steps=STEPS):
    """Returns the errors of one crop and of five."""
    splits = [digits_runs.digits(s, SIZE) for s in ("train", "validation", "test")]
    images, labels = (np.concatenate(parts) for parts in zip(*splits))
    random = np.random.default_rng(seed)
    order = random.permutation(len(splits[0][0]))[:LEARNED]  # of the training split
    others = np.setdiff1d(np.arange(len(images)), order)
    model = network_runs.fresh(seed, network_runs.small_cnn, network_runs.adam, CROP)
    for batch, answers in digits_runs.batches(
        images[order], labels[order], steps, BATCH_SIZE, seed
    ):
        model.train_on_batch(_random_crops(batch, random), answers)
    middle = (SIZE - CROP) // 2
    crop = images[others][:, middle : middle + CROP, middle : middle + CROP]
    several = test_time_augmented(model, (SIZE, SIZE), flips=False)
    return {
        "test_digits": float(len(others)),
        "error_of_middle": digits_runs.error(model, crop, labels[others]),
        "error_of_five": digits_runs.error(several, images[others], labels[others]),
    }


def _random_crops(images, random):
    places = random.integers(0, SIZE - CROP + 1, (len(images), 2))
    return np.stack(
        [image[y : y + CROP, x : x + CROP] for image, (y, x) in zip(images, places)]
    )


def verdict(runs):
    """Holds if five crops err less at every seed."""
    one, five = of(runs, "error_of_middle"), of(runs, "error_of_five")
    holds = all(b < a for a, b in zip(one, five))
    fewer = [a - b for a, b in zip(one, five)]
    return holds, (
        f"The error on {runs[0]['test_digits']:.0f} digits is {told(one, '.2%')} with "
        f"the middle crop and {told(five, '.2%')} with five: "
        f"{told([100 * f for f in fewer], '.2f')} points less."
    )


def draw(runs, path):
    """The errors, a dot for each seed."""
    with style.looks():
        figure = style.figure(6.4, 2.2)
        axis = figure.subplots()
        groups = [of(runs, "error_of_middle"), of(runs, "error_of_five")]
        colors = (style.ORANGE, style.BLUE)
        dots(axis, ("the middle", "five crops"), groups, colors, ".2%")
        axis.xaxis.set_major_formatter(PercentFormatter(1))
        axis.set_title("test error")
        return style.save(figure, path)
