"""Transposed convolutions of stride 2: kernel 3 makes checkerboards, kernel 4 not.

Source: A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts",
2016, https://doi.org/10.23915/distill.00003

Measured: how many weights meet each output pixel, from the matrix of the transposed
convolution, away from the border. Then the unevenness, which is the standard deviation
over the four positions (even or odd row, even or odd column) of their root mean square,
divided by its mean: of the output of an untrained layer of 64 filters on white noise,
and of the errors that a small autoencoder makes on test digits of 16 x 16 pixels after
300 steps of Adam: two convolutions of stride 2, two transposed ones. A border of four
pixels is left out.

It holds if kernel 4 has one count everywhere and kernel 3 several, and if at every seed
kernel 4 is less uneven than kernel 3, untrained and trained.
"""

import keras
import numpy as np
from keras import layers
from matplotlib.ticker import PercentFormatter

from kcv.layers.convolution_matrix import convolution_matrix
from kcv.tools.claims import digits_runs
from kcv.tools.claims.over_seeds import dots, of, told
from kcv.viz import style

CLAIM = (
    "An even kernel avoids the checkerboard of a transposed convolution of stride 2."
)
IDS = ("F12",)

KERNELS = (3, 4)
STEPS, BATCH_SIZE = 300, 32
SIZE, BORDER = 16, 4  # pixels
STATES = ("untrained", "trained")


def overlap(kernel_size, size=SIZE):
    """Returns how many inputs each output sums up, int (size, size)."""
    ones = np.ones((kernel_size, kernel_size, 1, 1), int)
    matrix = convolution_matrix(ones, (size, size), stride=2, padding="same")
    return matrix.T.sum(axis=1).reshape(size, size)


def unevenness(values):
    """Returns how differently large the four positions are, 0 if they are equal.

    Args:
        values: (n, height, width, channels), even sizes.
    """
    inner = _inner(values).astype("float64")
    sizes = [
        np.sqrt(np.mean(inner[:, i::2, j::2] ** 2)) for i in (0, 1) for j in (0, 1)
    ]
    return float(np.std(sizes) / np.mean(sizes))


def _inner(values):
    return values[:, BORDER:-BORDER, BORDER:-BORDER]


def run(seed, steps=STEPS):
    """Returns counts, unevenness and maps of both kernels."""
    found = {}
    for kernel_size in KERNELS:
        counts = _inner(overlap(kernel_size)[None])
        found[f"fewest_overlaps_{kernel_size}"] = float(counts.min())
        found[f"most_overlaps_{kernel_size}"] = float(counts.max())
        outputs = _untrained(kernel_size, seed)
        found[f"untrained_{kernel_size}"] = unevenness(outputs)
        wrong = _trained(kernel_size, seed, steps)
        found[f"trained_{kernel_size}"] = unevenness(wrong)
        found[f"error_{kernel_size}"] = float(np.sqrt(np.mean(wrong**2)))
        for state, values in zip(STATES, (outputs, wrong)):
            sizes = np.sqrt(np.mean(_inner(values) ** 2, axis=(0, 3)))
            found[f"{state}_map_{kernel_size}"] = np.round(sizes, 4).ravel()
    return found


def _untrained(kernel_size, seed):
    """The output of a layer with its initial weights, (256, SIZE, SIZE, 64)."""
    keras.utils.set_random_seed(seed)
    layer = layers.Conv2DTranspose(64, kernel_size, strides=2, padding="same")
    noise = np.random.default_rng(seed).normal(size=(256, SIZE // 2, SIZE // 2, 16))
    return keras.ops.convert_to_numpy(layer(noise.astype("float32")))


def _trained(kernel_size, seed, steps):
    """The errors of a trained autoencoder on test digits, (n, SIZE, SIZE, 1)."""
    images, labels = digits_runs.digits("train", SIZE)
    test_images, _ = digits_runs.digits("test", SIZE)
    model = digits_runs.seeded(autoencoder, seed, kernel_size=kernel_size)
    model.compile(keras.optimizers.Adam(1e-3), loss="mse", jit_compile=False)
    for batch, _ in digits_runs.batches(images, labels, steps, BATCH_SIZE, seed):
        model.train_on_batch(batch, batch)
    return model.predict_on_batch(test_images) - test_images


def autoencoder(kernel_size):
    """Halves the size twice and doubles it twice by transposed convolutions."""
    images = keras.Input((SIZE, SIZE, 1), name="images")
    x = layers.Conv2D(16, 3, 2, "same", activation="relu", name="down1")(images)
    x = layers.Conv2D(32, 3, 2, "same", activation="relu", name="down2")(x)
    x = layers.Conv2DTranspose(16, kernel_size, 2, "same", activation="relu",
                               name="up1")(x)  # fmt: skip
    x = layers.Conv2DTranspose(1, kernel_size, 2, "same", name="up2")(x)
    return keras.Model(images, x, name=f"autoencoder{kernel_size}")


def verdict(runs):
    """Holds if the counts are even for 4 only and 4 is less uneven at every seed."""
    spans = {
        size: (runs[0][f"fewest_overlaps_{size}"], runs[0][f"most_overlaps_{size}"])
        for size in KERNELS
    }
    holds = spans[4][0] == spans[4][1] and spans[3][0] < spans[3][1]
    holds = holds and all(
        run[f"{state}_4"] < run[f"{state}_3"] for run in runs for state in STATES
    )
    parts = [
        f"{state} {told(of(runs, f'{state}_3'), '.1%')} with kernel 3 and "
        f"{told(of(runs, f'{state}_4'), '.1%')} with 4"
        for state in STATES
    ]
    return holds, (
        f"With kernel 3 an output sums up {spans[3][0]:.0f} to {spans[3][1]:.0f} "
        f"inputs, with 4 {_counts(spans[4])}; unevenness {', '.join(parts)}."
    )


def _counts(span):
    return (
        f"always {span[0]:.0f}"
        if span[0] == span[1]
        else f"{span[0]:.0f} to {span[1]:.0f}"
    )


def draw(runs, path):
    """Counts, sizes of outputs and errors by place of the first seed; unevenness."""
    with style.looks():
        figure = style.figure(11, 4.6)
        grid = figure.add_gridspec(2, 4, width_ratios=(1, 1, 1, 1.9))
        for row, size in enumerate(KERNELS):
            side = SIZE - 2 * BORDER
            maps = {
                "inputs summed up": _inner(overlap(size)[None]),
                "untrained, output": runs[0][f"untrained_map_{size}"],
                "trained, error": runs[0][f"trained_map_{size}"],
            }
            for column, (title, values) in enumerate(maps.items()):
                axis = figure.add_subplot(grid[row, column])
                values = np.reshape(values, (side, side))
                axis.imshow(values, cmap="viridis", vmin=0)
                axis.set(xticks=(), yticks=(), title=title if row == 0 else "")
                if column == 0:
                    axis.set_ylabel(f"kernel {size}")
        axis = figure.add_subplot(grid[:, 3])
        names = [f"{state}, kernel {size}" for state in STATES for size in KERNELS]
        groups = [of(runs, f"{state}_{size}") for state in STATES for size in KERNELS]
        dots(axis, names, groups, (style.VERMILION, style.BLUE) * 2, ".1%")
        axis.xaxis.set_major_formatter(PercentFormatter(1))
        axis.set_title("unevenness of the four positions")
        return style.save(figure, path)
