"""On few samples dropout and augmentation each lower the test error.

Papers: N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from
Overfitting", 2014, https://jmlr.org/papers/v15/srivastava14a.html; P. Simard, D.
Steinkraus, J. Platt, "Best practices for convolutional neural networks applied to
visual document analysis", 2003, https://doi.org/10.1109/ICDAR.2003.1227801

Measured: `cifar_cnn`, which has dropout (0.25 and 0.5), on 100 digits of 12 x 12
pixels that the seed draws, ten of each class; 240 steps of 25 images with Adam at rate
0.001, without either, with dropout, with augmentation (turned by up to 12 degrees,
zoomed by 12 %, shifted by 8 %), with both. The error is that on all other digits.

It holds if at every seed dropout alone and augmentation alone lower the error.
"""

import keras
import numpy as np
import tensorflow as tf

from kcv.data import augment, random_numbers
from kcv.models.classification.cifar_cnn import cifar_cnn
from kcv.tools.claims import digits_runs
from kcv.tools.claims.over_seeds import band, dots, of, told
from kcv.viz import style

CLAIM = "Dropout and augmentation lower the test error on few samples."
IDS = ("F09", "F13")

SIZE, EACH, EPOCHS, BATCH, RATE = 12, 10, 60, 25, 1e-3
CHANGES = augment.Augment(rotate=12, zoom=0.12, translate=0.08, fill="constant")
SPLITS = ("train", "validation", "test")
ARMS = {  # with dropout? with augmentation?
    "neither": (False, False, style.MUTED),
    "dropout": (True, False, style.ORANGE),
    "augmentation": (False, True, style.BLUE),
    "both": (True, True, style.GREEN),
}


def run(seed, epochs=EPOCHS):
    """Returns errors on the other digits, and losses on the few, of all arms."""
    few, others = drawn(seed)
    images = {True: changed(few[0], epochs, seed), False: [few[0]] * epochs}
    found = {}
    for dropout in (False, True):
        model = digits_runs.seeded(cifar_cnn, seed, input_shape=(SIZE, SIZE, 1))
        model = model if dropout else digits_runs.without_dropout(model)
        model = digits_runs.compiled(model, keras.optimizers.Adam())
        start = model.get_weights()
        for name, (with_dropout, augmented, _) in ARMS.items():
            if with_dropout == dropout:
                digits_runs.restart(model, start, RATE)
                losses = trained(model, images[augmented], few[1], seed)
                found[f"losses_{name}"] = losses
                found[f"error_{name}"] = digits_runs.error(model, *others)
    return found


def trained(model, images_of_epochs, labels, seed):
    """Trains on the images of each epoch; returns the mean loss of each."""
    random, losses = np.random.default_rng(seed), []
    for images in images_of_epochs:
        model.reset_metrics()
        for rows in np.split(random.permutation(len(labels)), len(labels) // BATCH):
            loss, _ = model.train_on_batch(images[rows], labels[rows])
        losses.append(float(loss))  # the mean since the reset
    return losses


def changed(images, epochs, seed):
    """Returns each epoch's augmented images, float32 (epochs, n, SIZE, SIZE, 1)."""
    change = augment.image_changer(CHANGES, images.shape[1:])
    images = tf.constant(np.round(255 * images).astype("uint8"))
    keys = [random_numbers.epoch_key(seed, epoch) for epoch in range(epochs)]
    found = [[change(image, i, key) for i, image in enumerate(images)] for key in keys]
    return np.array(found, "float32") / 255


def drawn(seed):
    """Draws EACH digits of each class from those for training.

    Returns:
        (images, labels) of these, and of all other digits, those for tests included.
    """
    parts = [digits_runs.digits(split, SIZE) for split in SPLITS]
    images, labels = (np.concatenate(values) for values in zip(*parts))
    order = np.random.default_rng(seed).permutation(len(parts[0][1]))
    few = [order[labels[order] == digit][:EACH] for digit in range(10)]
    chosen = np.isin(np.arange(len(labels)), few)
    return (images[chosen], labels[chosen]), (images[~chosen], labels[~chosen])


def verdict(runs):
    """Holds if each alone lowers the error at every seed."""
    neither, dropout, changed, both = (of(runs, f"error_{name}") for name in ARMS)
    holds = all(max(alone) < bare for bare, *alone in zip(neither, dropout, changed))
    return holds, (
        f"With {EACH} digits of each class the error on the others is "
        f"{told(neither, '.1%')} without either, {told(dropout, '.1%')} with dropout, "
        f"{told(changed, '.1%')} with augmentation, {told(both, '.1%')} with both."
    )


def draw(runs, path):
    """Errors on the other digits, and losses on the few."""
    with style.looks():
        figure = style.figure(10, 3.4)
        error, loss = figure.subplots(1, 2)
        values = [of(runs, f"error_{name}") for name in ARMS]
        dots(error, list(ARMS), values, [arm[-1] for arm in ARMS.values()], ".1%")
        error.set_title(f"error on all others, {10 * EACH} digits to learn from")
        error.xaxis.set_major_formatter("{x:.0%}")
        for name, (*_, color) in ARMS.items():
            curves = of(runs, f"losses_{name}")
            band(loss, range(1, len(curves[0]) + 1), curves, color, name)
        loss.set(title="loss in training", xlabel="epoch", yscale="log")
        loss.legend(loc="lower left")
        return style.save(figure, path)
