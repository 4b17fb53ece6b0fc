"""Losses of classification, one value an example."""

from keras import ops


def softmax_cross_entropy(labels, probabilities, label_smoothing=0.0):
    """The negative log-likelihood of the labels.

    Args:
        labels: int (batch,), or float (batch, classes): a distribution over the
            classes, as mixed images have.
        probabilities: float (batch, classes), the output of a softmax. Where it comes
            straight from a Keras softmax its logits are used, so nothing underflows.
        label_smoothing: share of the label that is spread over all the classes
            (C. Szegedy et al., "Rethinking the Inception Architecture", 2016, section
            7, https://arxiv.org/abs/1512.00567).

    Returns:
        float (batch,), in nats.
    """
    if len(labels.shape) == 1 and not label_smoothing:
        return ops.sparse_categorical_crossentropy(labels, probabilities)
    classes = probabilities.shape[-1]
    if len(labels.shape) == 1:
        labels = ops.one_hot(labels, classes)
    labels = ops.cast(labels, "float32")
    labels = labels * (1 - label_smoothing) + label_smoothing / classes
    return ops.categorical_crossentropy(labels, probabilities)


def perceptron_loss(labels, probabilities):
    """How far the best wrong class stands above the right one; 0 where there is none.

    One step of plain gradient descent on it is the mistake-driven rule: a wrong answer
    adds the image to the weights of its class and takes it from those of the answer, a
    right answer changes nothing.

    Args:
        labels: int (batch,).
        probabilities: float (batch, classes), the output of a softmax.

    Returns:
        float (batch,), in units of the logits (differences of logarithms are those).
    """
    logits = ops.log(ops.maximum(probabilities, 1e-30))
    right = ops.sum(logits * ops.one_hot(labels, logits.shape[-1]), axis=-1)
    return ops.max(logits, axis=-1) - right
