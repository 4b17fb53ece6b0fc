"""What the claims have in common: the digits as arrays, and a plain training loop."""

import keras
import numpy as np
from PIL import Image

from kcv.data import digit_splits


def digits(split, size=8):
    """Returns images float32 (n, size, size, 1) in [0, 1] and labels int32 (n,)."""
    images, labels = (
        values[digit_splits.rows(split)] for values in digit_splits.scans()
    )
    if size != 8:
        filtered = Image.Resampling.BICUBIC
        images = np.stack(
            [Image.fromarray(image).resize((size, size), filtered) for image in images]
        )
    return np.clip(images[..., None] / 16, 0, 1).astype("float32"), labels


def seeded(build, seed, **arguments):
    """Builds a model whose initial weights come from the seed alone."""
    keras.utils.set_random_seed(seed)
    return build(**arguments)


def without_dropout(model):
    """Makes the dropout layers of a model that has not run yet drop nothing."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return model


def compiled(model, optimizer):
    """Returns the model ready to be trained on labels int (n,), with its accuracy."""
    model.compile(
        optimizer,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # compiling takes longer than these runs
    )
    return model


def restart(model, weights, rate):
    """Takes a compiled model back to a start: quicker than to trace it anew.

    Args:
        model: from `compiled`.
        weights: from `get_weights` of it or of a model like it.
        rate: of the optimizer, which forgets what it has gathered.
    """
    model.set_weights(weights)
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    model.optimizer.learning_rate = rate


def batches(images, labels, steps, batch_size, seed):
    """Yields `steps` batches: epochs of shuffled examples, the last partial one left.

    Every model that gets the same seed sees the same batches.
    """
    random, order = np.random.default_rng(seed), np.empty(0, int)
    for _ in range(steps):
        if len(order) < batch_size:
            order = random.permutation(len(images))
        chosen, order = order[:batch_size], order[batch_size:]
        yield images[chosen], labels[chosen]


def train(model, images, labels, steps, batch_size=32, seed=0, each=None):
    """Trains a compiled model; returns what `each` returned.

    Args:
        model: from `compiled`.
        images: float32 (n, height, width, channels).
        labels: int (n,).
        steps: updates.
        batch_size: images of a step.
        seed: of the order of the images.
        each: None or a function of (number of the step from 1, loss of its batch).

    Returns:
        A list of the losses of the batches, or of what `each` returned; it ends early
        at an item that `is None`, which is left out.
    """
    found = []
    for step, batch in enumerate(batches(images, labels, steps, batch_size, seed), 1):
        model.reset_metrics()  # else the loss is the mean since the first step
        loss = float(model.train_on_batch(*batch)[0])
        item = each(step, loss) if each else loss
        if item is None:
            break
        found.append(item)
    return found


def error(model, images, labels):
    """The share of images that a classifier gets wrong, in [0, 1]."""
    answers = np.argmax(model.predict_on_batch(images), axis=-1)
    return float(np.mean(answers != labels))
