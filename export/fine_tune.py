"""A short training of a tf_keras model, for the tools that need one."""

from collections.abc import Callable, Iterable

import tensorflow as tf
import tf_keras

from kcv.train.grouped_convolution import training_grouped_convolutions


def fine_tune(
    model,
    batches: Callable[[int], Iterable],
    *,
    epochs: int,
    learning_rate: float,
    loss: Callable | None = None,
    on_step: Callable[[int, float], None] | None = None,
    before_step: Callable[[int], None] | None = None,
) -> list[float]:
    """Trains with Adam, the rate falling to zero along a cosine.

    Args:
        model: tf_keras model; its weights are changed.
        batches: function of the epoch's number, from 0, to its batches: {"images":
            (b, h, w, c), "labels": (b,)} or pairs of the two. All epochs must be of
            the same length.
        epochs: passes over the batches.
        learning_rate: the first step's.
        loss: function (labels, outputs) -> (b,); default: cross-entropy between int
            labels and probabilities.
        on_step: called as on_step(steps done, loss of the step).
        before_step: called with the number of the step, from 0, before it.

    Returns:
        The mean loss of each epoch.

    Raises:
        ValueError: there is no batch, or the loss is not a finite number.
    """
    loss = loss or tf_keras.losses.sparse_categorical_crossentropy
    optimizer = tf_keras.optimizers.Adam(learning_rate)

    @tf.function(reduce_retracing=True)
    def train_step(images, labels):
        with tf.GradientTape() as tape:
            outputs = model(images, training=True)
            value = tf.reduce_mean(loss(labels, outputs))
            total = tf.add_n([value, *model.losses])
        variables = model.trainable_variables
        gradients = tape.gradient(total, variables)
        optimizer.apply_gradients(
            (g, v) for g, v in zip(gradients, variables) if g is not None
        )
        return value

    step, steps, means = 0, None, []
    for epoch in range(epochs):
        values = []
        if steps is None:  # the cosine needs the end: count the first epoch's batches
            steps = epochs * num_batches(batches(epoch))
        for batch in batches(epoch):
            images, labels = _images_and_labels(batch)
            rate = learning_rate * 0.5 * (1 + tf.cos(3.14159265 * step / steps))
            optimizer.learning_rate.assign(rate)
            if before_step:
                before_step(step)
            with training_grouped_convolutions(model):
                value = float(train_step(tf.constant(images), tf.constant(labels)))
            step += 1
            if not abs(value) < float("inf"):
                raise ValueError(
                    f"loss is {value} at step {step} with a learning rate of "
                    f"{float(rate):g}: start with a lower rate than {learning_rate:g}."
                )
            values.append(value)
            if on_step:
                on_step(step, value)
        means.append(sum(values) / len(values))
    return means


def images_of(batch):
    """Returns the images of a batch: of a dict, a pair, or an array alone."""
    if isinstance(batch, dict):
        return batch["images"]
    return batch[0] if isinstance(batch, (tuple, list)) else batch


def _images_and_labels(batch):
    if isinstance(batch, dict):
        return batch["images"], batch["labels"]
    return batch


def num_batches(batches: Iterable) -> int:
    """Counts batches: a tf.data.Dataset may know, others are walked once.

    Raises:
        ValueError: there is none.
    """
    cardinality = getattr(batches, "cardinality", None)
    length = int(cardinality()) if cardinality else -1
    length = sum(1 for _ in batches) if length < 0 else length
    if length == 0:
        raise ValueError("no batch to train on: the data are empty.")
    return length
