"""OverFeat: a classifier slid over an image, as one convolution.

Paper: P. Sermanet et al., "OverFeat: Integrated Recognition, Localization and Detection
using Convolutional Networks", 2014, https://arxiv.org/abs/1312.6229

Differs from the paper: its finer steps, from pooling at three offsets, are left out;
boxes are merged by their centres' distance in mean sides plus what their overlap lacks
of 1, for the paper's sum of a distance and an area says two things at once.
"""

import keras
import numpy as np
from keras import layers, ops

from kcv.models.image_input import image_input
from kcv.models.weights import load_weights

# Table 1, "fast": (filters, kernel size, strides, padding, pooled).
CONVOLUTIONS = (
    (96, 11, 4, "valid", True),
    (256, 5, 1, "valid", True),
    (512, 3, 1, "same", False),
    (1024, 3, 1, "same", False),
    (1024, 3, 1, "same", True),
)
DENSE = (3072, 4096)


def overfeat_fast(
    input_shape=(231, 231, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
    dropout=0.5,
):
    """Builds the fast network of Table 1.

    Args:
        input_shape: (height, width, channels) of one image, at least 71x71.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        alpha: scales the filters and units of all layers but the last.
        dropout: share of the units dropped while training, in both dense layers.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes). It has 145,920,872 parameters at the defaults; the
        paper says 145 million.
    """
    images = image_input(input_shape, minimum=71)
    x = overfeat_fast_features(images, alpha)["C5"]
    x = layers.Flatten(name="flatten")(x)
    for i, units in enumerate(DENSE, start=6):
        x = layers.Dense(int(units * alpha), activation="relu", name=f"dense{i}")(x)
        x = layers.Dropout(dropout, name=f"dropout{i}")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name="overfeat_fast")
    load_weights(model, weights)
    return model


def overfeat_fast_features(images, alpha=1.0):
    """Maps images to {"C2": ..., ..., "C5": ...}, the last maps at strides 4 to 32."""
    features, x, strides = {}, images, 1
    for i, (filters, size, step, padding, pooled) in enumerate(CONVOLUTIONS, start=1):
        x = layers.Conv2D(int(filters * alpha), size, step, padding=padding,
                          activation="relu", name=f"conv{i}")(x)  # fmt: skip
        strides *= step
        if pooled:
            features[f"C{strides.bit_length() - 1}"] = x
            x = layers.MaxPooling2D(name=f"pool{i}")(x)
            strides *= 2
        features[f"C{strides.bit_length() - 1}"] = x
    return features


def to_convolutional(model):
    """Turns a classifier's dense layers into convolutions, section 3.5.

    What it says of a larger image is what the classifier says of every patch of its
    size, at steps of its stride: exactly, where no layer pads; else but for the seams,
    where a patch sees zeros and the image goes on.

    Args:
        model: functional `keras.Model` from one image to one vector. Flattening or
            global average pooling stands between maps and dense layers.

    Returns:
        A model of the same weights, copied, for images of any size not below the
        classifier's: (batch, h, w, channels) to (batch, rows, columns, classes).

    Raises:
        ValueError: if the classifier is not of this form.
    """
    channels = _one_image(model)[-1]
    images = keras.Input((None, None, channels), name="images")
    made = {id(model.inputs[0]): images}
    windows = {}  # of tensors behind the maps: how much of these a dense layer must see
    for operation in model.operations[1:]:
        node = operation._inbound_nodes[-1]
        sources = [made[id(x)] for x in node.input_tensors]
        twin, window = _twin(operation, node, windows)
        result = id(node.output_tensors[0])
        made[result] = twin(sources if len(sources) > 1 else sources[0])
        if window:
            windows[result] = window
        if operation.weights:
            old = operation.get_weights()
            twin.set_weights([w.reshape(v.shape) for w, v in zip(old, twin.weights)])
    output = made[id(model.outputs[0])]
    return keras.Model(images, output, name=f"{model.name}_convolutional")


def _one_image(model):
    shape = model.inputs[0].shape[1:]
    one = len(model.inputs) == 1 and len(model.outputs) == 1
    if not one or len(shape) != 3 or len(model.outputs[0].shape) != 2 or None in shape:
        raise ValueError(
            f"{model.name} is no classifier of one image of fixed size: its input is "
            f"{tuple(shape)}, build it with (height, width, channels)"
        )
    return shape


def _twin(operation, node, windows):
    """Returns the layer to stand for one, and the window if it is behind the maps."""
    source, name = node.input_tensors[0], operation.name
    window = windows.get(id(source))
    if isinstance(operation, layers.Flatten):
        return layers.Identity(name=name), window or tuple(source.shape[1:3])
    if isinstance(operation, layers.GlobalAveragePooling2D):
        size = tuple(source.shape[1:3])
        return layers.AveragePooling2D(size, strides=1, name=name), (1, 1)
    if isinstance(operation, layers.Dense) and window:
        activation, use_bias = operation.activation, operation.use_bias
        return layers.Conv2D(operation.units, window, activation=activation,
                             use_bias=use_bias, name=name), (1, 1)  # fmt: skip
    behind = [windows.get(id(x)) for x in node.input_tensors]
    mixed = len(behind) > 1 and set(behind) not in ({None}, {(1, 1)})
    other = isinstance(
        operation, layers.Reshape | layers.Permute | layers.GlobalMaxPooling2D
    )
    if mixed or other or not isinstance(operation, layers.Layer):
        raise ValueError(
            f"cannot slide layer {name!r}, a {type(operation).__name__}: only Flatten "
            "or GlobalAveragePooling2D may stand between maps and dense layers"
        )
    return type(operation).from_config(operation.get_config()), window


def slide(model, image, size, stride, scales=(1.0,)):
    """Classifies every window of an image at several scales.

    Args:
        model: of `to_convolutional`.
        image: float32 (h, w, channels) in the model's range.
        size: (height, width) of the classifier's own input, in pixels.
        stride: pixels from window to window, the product of the layers' strides.
        scales: factors of the image; 0.5 finds what is twice as large.

    Returns:
        boxes float64 (n, 4), the windows in pixels of the image as it came, and
        answers (n, classes); scales at which the image is below `size` give none.
    """
    boxes, answers = [np.zeros((0, 4))], [np.zeros((0, model.output_shape[-1]))]
    for scale in scales:
        sides = [max(round(side * scale), 1) for side in image.shape[:2]]
        if sides[0] < size[0] or sides[1] < size[1]:
            continue
        scaled = image[None] if scale == 1 else ops.image.resize(image[None], sides)
        answer = ops.convert_to_numpy(model(scaled))[0]
        y, x = np.mgrid[: answer.shape[0], : answer.shape[1]] * float(stride)
        corners = np.stack([x, y, x + size[1], y + size[0]], axis=-1).reshape(-1, 4)
        factor = np.array(image.shape[1::-1]) / sides[::-1]  # of x and y
        boxes.append(corners * np.tile(factor, 2))
        answers.append(answer.reshape(-1, answer.shape[-1]))
    return np.concatenate(boxes), np.concatenate(answers)


def merge_boxes(boxes, scores, limit=0.8):
    """Merges the two boxes that agree best, until none do: section 4.3.

    Args:
        boxes: (n, 4), x1, y1, x2, y2.
        scores: (n,); those of merged boxes are added up.
        limit: of the distance of two centres in mean sides plus 1 - IoU, above which
            two boxes are two things; 0 merges only what is equal, 1 and more what does
            not overlap.

    Returns:
        boxes float64 (m, 4), means of those merged, and scores (m,), best first.
    """
    boxes = [np.asarray(box, "float64") for box in boxes]
    scores = [float(score) for score in scores]
    while len(boxes) > 1:
        pairs = _mismatch(np.array(boxes))
        i, j = sorted(np.unravel_index(pairs.argmin(), pairs.shape))
        if pairs[i, j] > limit:
            break
        boxes[i], scores[i] = (boxes[i] + boxes[j]) / 2, scores[i] + scores[j]
        del boxes[j], scores[j]
    order = np.argsort(scores)[::-1]
    return np.array(boxes).reshape(-1, 4)[order], np.array(scores)[order]


def _mismatch(boxes):
    """(n, n), infinite on the diagonal."""
    low, high = boxes[:, :2], boxes[:, 2:]
    sides, centres = high - low, (high + low) / 2
    distance = np.linalg.norm(centres[:, None] - centres, axis=-1)
    mean_side = (sides.mean(axis=1)[:, None] + sides.mean(axis=1)) / 2
    common = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    common = common.clip(0).prod(axis=-1)
    area = sides.prod(axis=-1)
    mismatch = distance / mean_side + 1 - common / (area[:, None] + area - common)
    np.fill_diagonal(mismatch, np.inf)
    return mismatch
