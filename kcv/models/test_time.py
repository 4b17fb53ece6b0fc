"""Test-time augmentation: a model that looks at a picture several times.

Paper: A. Krizhevsky et al.: ImageNet Classification with Deep Convolutional Neural
Networks, 2012, sections 4.1 (ten crops) and 6 (shifts of colour)
Differs from the paper: shifts of colour, which it draws in training, are here fixed
steps along the principal axes, so that an answer can be repeated.

The views of a picture are the rows of one larger batch, and what the model says of them
is averaged. Of a segmenter's views, the label maps are first brought back.
"""

import keras
from keras import layers

from kcv.layers import views


def test_time_augmented(model, image_size=None, flips=True, colour_shifts=()):
    """Wraps a classifier.

    Args:
        model: `keras.Model` with one input (h, w, c) and one output (classes,).
        image_size: (height, width) of the pictures, larger than the model's: four
            corners and the middle are looked at. None: the model's own size, one view.
        flips: whether each view is also mirrored left to right. With both, these are
            the ten crops.
        colour_shifts: three axes of three numbers, in the range of the images, such as
            `kcv.data.transforms.colour_axes` gives for 0..1: each view also comes
            shifted by plus and minus every axis, seven in all. () for none.

    Returns:
        A model (height, width, c) -> the mean of the outputs.

    Raises:
        ValueError: The model or the sizes do not fit.
    """
    height, width, channels = _input_shape(model, "classifier", rank=2)
    if None in (height, width):
        raise ValueError(
            f"the input of {model.name} is {model.input.shape[1:]}: build it with a "
            "fixed height and width to crop pictures"
        )
    size = tuple(image_size or (height, width))
    if size[0] < height or size[1] < width:
        raise ValueError(
            f"image_size {size} is smaller than the {height} x {width} of {model.name}"
        )
    if colour_shifts and channels != len(colour_shifts[0]):
        raise ValueError(
            f"colour_shifts have {len(colour_shifts[0])} numbers an axis, the images "
            f"{channels} channels"
        )
    images = keras.Input((*size, channels), name="images")
    rows, count = images, 1
    if size != (height, width):
        rows, count = views.FiveCrops((height, width), name="crops")(rows), 5
    if flips:
        rows, count = views.Mirrors(name="mirrors")(rows), 2 * count
    if colour_shifts:
        rows = views.ColourShifts(colour_shifts, name="colour_shifts")(rows)
        count *= 1 + 2 * len(colour_shifts)
    mean = views.MeanOfViews(count, name="mean_of_views")(model(rows))
    return keras.Model(images, mean, name=f"{model.name}_test_time")


def test_time_augmented_segmenter(model, flips=True, scales=(1.0,)):
    """Wraps a segmenter.

    Args:
        model: `keras.Model` with one input (h, w, c) and one output (h', w', classes),
            probabilities or logits by place.
        flips: whether each view is also mirrored left to right, and its map back.
        scales: factors of height and width at which the picture is looked at. Other
            than 1 they need a model whose input has no fixed size.

    Returns:
        A model (h, w, c) -> the mean of the maps, (h', w', classes) as at scale 1.

    Raises:
        ValueError: The model or the scales do not fit.
    """
    height, width, channels = _input_shape(model, "segmenter", rank=4)
    if not scales or min(scales) <= 0:
        raise ValueError(f"scales {tuple(scales)} are not factors above 0")
    if any(scale != 1 for scale in scales) and (height, width) != (None, None):
        raise ValueError(
            f"the input of {model.name} is fixed at {height} x {width}: build it with "
            "input_shape=(None, None, channels) to look at other scales"
        )
    images = keras.Input((height, width, channels), name="images")
    like = model(images)  # gives the size of the answer
    answers = []
    for i, scale in enumerate(scales):
        rows = images if scale == 1 else views.Rescaled(scale, name=f"scale{i}")(images)
        if flips:
            rows = views.Mirrors(name=f"mirrors{i}")(rows)
        maps = model(rows) if flips or scale != 1 else like
        if flips:
            maps = views.MirroredBack(name=f"mirrored_back{i}")(maps)
        if scale != 1:
            maps = views.ResizedLike(name=f"resized{i}")([maps, like])
        answers.append(maps)
    mean = layers.Average(name="mean")(answers) if len(answers) > 1 else answers[0]
    return keras.Model(images, mean, name=f"{model.name}_test_time")


# pytest takes these names for tests where they are imported.
test_time_augmented.__test__ = False
test_time_augmented_segmenter.__test__ = False


def _input_shape(model, kind, rank):
    """Returns (height, width, channels) of a model with one input and one output."""
    one = len(model.inputs) == 1 and len(model.outputs) == 1
    if (
        not one
        or len(model.inputs[0].shape) != 4
        or len(model.outputs[0].shape) != rank
    ):
        raise ValueError(
            f"{model.name} is no {kind} with one input (height, width, channels) and "
            f"one output of {rank - 1} axes"
        )
    return tuple(model.inputs[0].shape[1:])
