"""R-CNN's second stage: machines and regressors on the features of a trained network.

Paper: R. Girshick et al., "Rich feature hierarchies for accurate object detection and
semantic segmentation", 2014, section 2.3, appendices B and C,
https://arxiv.org/abs/1311.2524

Features are scaled to a mean norm of 20 before anything is learned from them, as in the
authors' code: C and lambda of the paper are for that scale.
"""

import keras
import numpy as np

from kcv.boxes.iou import pairwise_iou
from kcv.classic.box_regression import box_regression, pairs
from kcv.classic.linear_svm import mined_svm

NORM = 20.0  # mean length of a feature vector
NEGATIVE_BELOW = 0.3  # IoU with every object of a class, for its machine
PAIRS = 1000  # of proposals and objects that a class's regressors learn from
NEVER = -2.0  # score of a class without examples


def second_stage_examples(examples, proposals, found, classes: int, seed: int = 0):
    """Gathers what machines and regressors learn from.

    Args:
        examples: `rcnn_regions.Examples`.
        proposals: list of float (n, 4), one of each image.
        found: iterable of {"fc7": (m + n, units), "maps": (m + n, size)} of each
            image: of its m objects, then of its proposals.
        classes: number of classes.
        seed: of the lot that leaves out pairs of which there are too many.

    Returns:
        dict of arrays: "features" (k, units), "labels" int32 (k,), the class of an
        object's own box, else -1, "overlaps" float16 (k, classes), the largest IoU with
        an object of each class; "pair_maps" (p, size), "pair_proposals" and
        "pair_boxes" (p, 4), "pair_classes" int32 (p,).
    """
    random = np.random.default_rng(seed)
    table = {key: [] for key in ("features", "labels", "overlaps")}
    near = {key: [] for key in ("maps", "proposals", "boxes", "classes")}
    room = np.full(classes, PAIRS)
    for index, values in enumerate(found):
        boxes, labels, crowd = (column[index] for column in examples[1:4])
        both = np.concatenate([boxes, proposals[index]]).astype("float32")
        overlaps = np.zeros((len(both), classes), "float16")
        of_each = np.asarray(pairwise_iou(both, boxes))
        for label in np.unique(labels):
            overlaps[:, label] = of_each[:, labels == label].max(axis=1)
        own = np.full(len(both), -1, "int32")
        own[: len(boxes)] = np.where(crowd, -1, labels)
        for key, value in zip(table, (values["fc7"], own, overlaps)):
            table[key].append(value)
        places, objects = pairs(proposals[index], boxes[~crowd])
        order = random.permutation(len(places))
        of_object = labels[~crowd][objects]
        order = order[_within(of_object[order], room)]
        room -= np.bincount(of_object[order], minlength=classes)
        near["maps"].append(values["maps"][len(boxes) + places[order]])
        near["proposals"].append(proposals[index][places[order]])
        near["boxes"].append(boxes[~crowd][objects[order]])
        near["classes"].append(of_object[order])
    table |= {f"pair_{key}": value for key, value in near.items()}
    return {key: np.concatenate(value) for key, value in table.items()}


def train_machines(table, c: float, seed: int = 0, on_class=None):
    """One linear support vector machine a class, with hard negatives.

    Args:
        table: of `second_stage_examples`.
        c: as for `kcv.classic.linear_svm`.
        seed: of the first negatives.
        on_class: told (class, negatives of each round).

    Returns:
        (kernel float32 (units, classes), bias float32 (classes,)), for features as the
        network gives them. Objects and proposals of other classes are negatives too; a
        class without objects is never found.
    """
    features, classes = table["features"], table["overlaps"].shape[1]
    scale = _scale(features)
    kernel = np.zeros((features.shape[1], classes), "float32")
    bias = np.full(classes, NEVER, "float32")
    for label in range(classes):
        positives = features[table["labels"] == label]
        far = table["overlaps"][:, label] < NEGATIVE_BELOW
        counts = []
        if len(positives) and far.any():
            weights, bias[label], counts = mined_svm(
                positives * scale, features[far] * scale, c, seed=seed
            )
            kernel[:, label] = weights * scale
        if on_class:
            on_class(label, counts)
    return kernel, bias


def train_regressors(table, regularisation: float, on_class=None):
    """One linear regression of offsets a class.

    Args:
        table: of `second_stage_examples`.
        regularisation: lambda.
        on_class: told (class,).

    Returns:
        (kernel float32 (size, 4 * classes), bias float32 (4 * classes,)), for maps as
        the network gives them.
    """
    maps, classes = table["pair_maps"], table["overlaps"].shape[1]
    scale = _scale(maps)
    kernels, biases = [], []
    for label in range(classes):
        chosen = table["pair_classes"] == label
        kernel, bias = box_regression(
            maps[chosen] * scale, table["pair_proposals"][chosen],
            table["pair_boxes"][chosen], regularisation,
        )  # fmt: skip
        kernels.append(kernel * scale)
        biases.append(bias)
        if on_class:
            on_class(label)
    return np.concatenate(kernels, axis=1), np.concatenate(biases)


def assembled(net, classifier, machines, regressors) -> keras.Model:
    """Puts everything that was learned into one graph.

    Args:
        net: of `rcnn`, for the same arguments as the classifier.
        classifier: of `rcnn_classifier`, fine-tuned.
        machines: (kernel, bias) of `train_machines`.
        regressors: (kernel, bias) of `train_regressors`.

    Returns:
        `net`.
    """
    learned = {layer.name: layer for layer in classifier.layers}
    for layer in net.layers:
        if layer.name in learned and layer.weights:
            layer.set_weights(learned[layer.name].get_weights())
    net.get_layer("scores").set_weights(machines)
    net.get_layer("regressors").set_weights(regressors)
    return net


def _scale(features):
    norms = np.linalg.norm(features, axis=1)
    return np.float32(NORM / max(norms.mean(), 1e-6) if len(norms) else 1.0)


def _within(labels, room):
    """Places of the first labels for which there is room, by class."""
    kept, room = [], room.copy()
    for place, label in enumerate(labels):
        if room[label] > 0:
            kept.append(place)
            room[label] -= 1
    return np.array(kept, int)
