"""A classifier slid over an image as one convolution: the same answers, much sooner.

Paper: P. Sermanet et al., "OverFeat: Integrated Recognition, Localization and Detection
using Convolutional Networks", 2014, section 3.5, https://arxiv.org/abs/1312.6229

Measured: a network as LeNet-5 (two unpadded convolutions, three dense layers), trained
by 300 steps on digits of 32 x 32 pixels, looks at a board of 4 x 4 test digits, 128 x
128 pixels, at steps of four pixels: 625 windows. Once as a convolution, once patch by
patch, all patches in one batch, so that the ratio is not that of 625 calls; each is
timed ten times, in turns, and the medians are compared. And `overfeat_fast` with a
sixteenth of its filters on 327 x 327 pixels, 16 windows of 231: its convolutions pad,
so a patch sees zeros where the image goes on, and the answers are not equal.

It holds if at every seed the unpadded network's answers differ by no more than 1e-5 of
the largest and the convolution is at least twice as fast for both networks.
"""

import time

import keras
import numpy as np

from kcv.models.classification import sliding_window
from kcv.tools.claims import digits_runs, network_runs
from kcv.tools.claims.over_seeds import SMALL, dots, of, told
from kcv.viz import style

CLAIM = (
    "Dense layers turned into convolutions say of an image what the classifier says "
    "patch by patch, several times faster."
)
IDS = ("C18",)

WINDOW, STRIDE, ROWS = 32, 4, 4  # pixels, pixels, digits
BOARD_FROM = 300  # the first test digits
OVERFEAT, OVERFEAT_STRIDE, OVERFEAT_STEPS = 231, 32, 3
STEPS, BATCH_SIZE, REPEATS = 300, 32, 10
DIFFERENCE, TIMES = 1e-5, 2


def run(seed, steps=STEPS, repeats=REPEATS, overfeat=True):
    """Returns differences, milliseconds and speed-ups, and the answers on the board."""
    images, labels = digits_runs.digits("train", WINDOW)
    model = network_runs.fresh(
        seed, network_runs.unpadded_lenet, network_runs.adam, WINDOW
    )
    digits_runs.train(model, images, labels, steps, BATCH_SIZE, seed)
    chosen = np.random.default_rng(seed).permutation(BOARD_FROM)[: ROWS**2]
    board = _board(chosen)
    found, answers = compare(model, board, WINDOW, STRIDE, repeats)
    found["board"] = chosen
    found["answers"] = answers.argmax(-1).ravel()
    found["certainties"] = np.round(answers.max(-1), 3).ravel()
    if overfeat:
        keras.utils.set_random_seed(seed)
        model = sliding_window.overfeat_fast(
            (OVERFEAT, OVERFEAT, 3), 10, None, alpha=1 / 16
        )
        size = OVERFEAT + OVERFEAT_STEPS * OVERFEAT_STRIDE
        image = np.random.default_rng(seed).uniform(-1, 1, (size, size, 3))
        more, _ = compare(
            model, image.astype("float32"), OVERFEAT, OVERFEAT_STRIDE, repeats
        )
        found.update({f"overfeat_{name}": value for name, value in more.items()})
    return found


def compare(model, image, size, stride, repeats):
    """Slides a classifier over an image both ways.

    Args:
        model: the classifier.
        image: float32 (height, width, channels).
        size: of the square window, in pixels.
        stride: pixels from window to window.
        repeats: timings of each way.

    Returns:
        {"windows", "difference" (of the largest value), "convolution_ms", "patches_ms",
        "times_faster"} and the answers float32 (rows, columns, classes).
    """
    convolution = sliding_window.to_convolutional(model)
    views = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))
    patches = np.moveaxis(views[::stride, ::stride], 2, -1)
    rows, columns = patches.shape[:2]
    patches = np.ascontiguousarray(patches.reshape(-1, *patches.shape[2:]))
    ways = {"convolution": (convolution, image[None]), "patches": (model, patches)}
    answers, seconds = {}, {name: [] for name in ways}
    for _ in range(1 + repeats):  # the first traces
        for name, (way, inputs) in ways.items():
            start = time.perf_counter()
            answers[name] = way.predict_on_batch(inputs)
            seconds[name].append(time.perf_counter() - start)
    slid = answers["convolution"][0]
    whole = answers["patches"].reshape(rows, columns, -1)
    median = {name: float(np.median(values[1:])) for name, values in seconds.items()}
    return {
        "windows": float(len(patches)),
        "difference": float(np.abs(slid - whole).max() / np.abs(whole).max()),
        "convolution_ms": 1e3 * median["convolution"],
        "patches_ms": 1e3 * median["patches"],
        "times_faster": median["patches"] / median["convolution"],
    }, slid


def _board(chosen):
    """ROWS x ROWS test digits side by side, float32 (128, 128, 1)."""
    images, _ = digits_runs.digits("test", WINDOW)
    board = images[np.asarray(chosen, int)].reshape(ROWS, ROWS, WINDOW, WINDOW)
    return board.swapaxes(1, 2).reshape(ROWS * WINDOW, ROWS * WINDOW, 1)


def verdict(runs):
    """Holds if the answers are equal and both networks at least TIMES as fast."""
    holds = all(
        run["difference"] <= DIFFERENCE
        and run["times_faster"] >= TIMES
        and run["overfeat_times_faster"] >= TIMES
        for run in runs
    )
    return holds, (
        f"The answers of {runs[0]['windows']:.0f} windows differ by "
        f"{max(of(runs, 'difference')):.1g} of the largest at most, and come "
        f"{told(of(runs, 'times_faster'))} times as fast as patch by patch; OverFeat's "
        f"of {runs[0]['overfeat_windows']:.0f} windows "
        f"{told(of(runs, 'overfeat_times_faster'))} times as fast, but as it pads they "
        f"differ by up to {max(of(runs, 'overfeat_difference')):.2g}."
    )


def draw(runs, path):
    """The board of the first seed, what its windows are called, and the times."""
    side = int(len(runs[0]["answers"]) ** 0.5)
    answers = np.reshape(runs[0]["answers"], (side, side))
    certainties = np.reshape(runs[0]["certainties"], (side, side))
    with style.looks():
        figure = style.figure(11, 3.8)
        seen, called, times = figure.subplots(1, 3, width_ratios=(1, 1, 1.3))
        seen.imshow(_board(runs[0]["board"])[..., 0], cmap="gray")
        seen.set(title="board", xticks=(), yticks=())
        seen.grid(visible=False)
        half = WINDOW / 2
        low, high = half - STRIDE / 2, half + (side - 0.5) * STRIDE
        extent = (low, high, high, low)
        called.imshow(certainties, cmap="Blues", vmin=0, vmax=1, extent=extent)
        for y in range(0, side, WINDOW // STRIDE):
            for x in range(0, side, WINDOW // STRIDE):
                place = (half + x * STRIDE, half + y * STRIDE)
                called.text(*place, int(answers[y, x]), ha="center", va="center",
                            color="white", weight="bold")  # fmt: skip
        called.set(title="certainty of each window", xticks=(), yticks=())
        called.set(xlim=(0, ROWS * WINDOW), ylim=(ROWS * WINDOW, 0))
        called.grid(visible=False)
        groups = [of(runs, "times_faster"), of(runs, "overfeat_times_faster")]
        names = ("LeNet-5,\n625 windows", "OverFeat,\n16 windows")
        dots(times, names, groups, (style.BLUE, style.GREEN), ".1f")
        times.set_title("times faster than patches")
        times.set_title(f"{len(runs)} seeds", loc="right", **SMALL)
        return style.save(figure, path)
