"""The sheets of inspect_model: for each kind a function from a `Look` to rows of tiles.

Where a layer or channels are not named, those are taken that tell most.
"""

from typing import NamedTuple

import keras
import numpy as np

from kcv.layers.attention import Attention
from kcv.models.classification import vit
from kcv.tools import inspect_layers
from kcv.viz import maps
from kcv.viz.deconvnet import deconvnet, signed_picture
from kcv.viz.filters import draw_filters, draw_maps
from kcv.viz.grad_cam import grad_cam, heat_over
from kcv.viz.gradients import check_layer, has_maps, maps_of
from kcv.viz.occlusion import occlusion_heat, occlusion_map
from kcv.viz.rows import shown
from kcv.viz.tiles import Tile

PLACES = 16  # where the covering square stands, a row
MAPS, CHANNELS = 16, 4  # that are drawn


class Look(NamedTuple):
    """What is looked at, and how.

    Parameters:
        model: classifier with one output.
        images: float32 (n, height, width, channels), as the model takes them.
        pictures: n times uint8 (h, w, 1 or 3), as they were.
        truths: n names of the right class, None where it is unknown.
        labels: names of the classes; [] where there are none.
        answers: float (n, classes).
        wanted: number of the class to look for; None for the answer.
        layer: name; None for the one that the kind takes.
        channels: numbers of maps; [] for those that speak loudest.
        square: pixels a side; None for a quarter of the image.
    """

    model: keras.Model
    images: np.ndarray
    pictures: list
    truths: list
    labels: list
    answers: np.ndarray
    wanted: int | None
    layer: str | None
    channels: list
    square: int | None


def kinds_of(model, layer=None):
    """Returns the kinds of sheets that a model, or a layer of it, has something for."""
    looked_at = model.layers
    if layer is not None:
        check_layer(model, layer)
        looked_at = [model.get_layer(layer)]
    with_maps = any(has_maps(each) for each in looked_at)
    weights = [weight for each in looked_at for weight in each.weights]
    has = {
        "filters": any(len(weight.shape) == 4 for weight in weights),
        "maps": with_maps,
        "occlusion": True,
        "deconvnet": with_maps and inspect_layers.last_rectified(model) is not None,
        "grad_cam": with_maps,
        "attention": any(isinstance(each, Attention) for each in model.layers),
    }
    return [kind for kind in SHEETS if has[kind]]


def filters(look):
    """One tile: the kernels of a layer."""
    layer = look.layer or inspect_layers.first_kernels(look.model)
    if layer is None:
        raise ValueError(f"{look.model.name} has no layer with kernels for filters")
    check_layer(look.model, layer)
    found = [w for w in look.model.get_layer(layer).get_weights() if w.ndim == 4]
    if not found:
        raise ValueError(f"layer {layer!r} has no kernels (k, k, in, out) for filters")
    height, width, inputs, outputs = found[0].shape
    title = f"{layer}: {outputs} filters, {height} x {width} x {inputs}"
    return [[Tile(draw_filters(found[0]), title)]]


def feature_maps(look):
    """A row an image: the maps of one layer, or of the last at each resolution."""
    names = [look.layer] if look.layer else inspect_layers.stages(look.model)
    found = {name: maps_of(look.model, look.images, name) for name in names}
    rows = []
    for i in range(len(look.images)):
        row = [_image(look, i)]
        for name, values in found.items():
            if values.ndim != 4:
                raise ValueError(f"layer {name!r} gives {values.shape[1:]}, no maps")
            _, height, width, channels = values.shape
            picked = _checked(look.channels, name, channels) or range(channels)[:MAPS]
            title = f"{name}: {height} x {width}, {len(picked)} of {channels}"
            row.append(Tile(draw_maps(values[i][..., list(picked)]), title))
        rows.append(row)
    return rows


def occlusion(look):
    """A pair an image: how much the answer suffers where it is covered."""
    height, width, _ = look.images.shape[1:]
    square = look.square or max(min(height, width) // 4, 1)
    rows = []
    for i, image in enumerate(look.images):
        label = _class(look, i)
        stride = -(-max(height, width) // PLACES)
        predict = look.model.predict_on_batch
        answers = occlusion_map(predict, image, label, square, stride)
        picture = heat_over(shown(look.pictures[i]), occlusion_heat(answers))
        limits = [float(answers.max()), float(answers.min())]
        unit = ""
        if _is_shares(look.answers[i]):
            limits, unit = [round(100 * limit, 1) for limit in limits], " %"
        scale = maps.draw_scale(limits, picture.shape[1], unit)
        title = f"{_name(look, label)} with {square} x {square} pixels covered there"
        rows.append([_image(look, i), Tile(picture, title, scale)])
    return rows


def deconvnets(look):
    """A row an image: what made the strongest unit of some channels speak."""
    rectified = inspect_layers.last_rectified(look.model)
    if rectified is None:
        raise ValueError(f"{look.model.name} has no ReLU with maps for deconvnet")
    layer = look.layer or rectified
    values = maps_of(look.model, look.images, layer)
    if values.ndim != 4:
        raise ValueError(f"layer {layer!r} gives {values.shape[1:]}, no maps")
    loudest = values.max(axis=(1, 2)).mean(axis=0).argsort()[::-1][:CHANNELS]
    picked = _checked(look.channels, layer, values.shape[-1]) or loudest
    rows = [[_image(look, i)] for i in range(len(look.images))]
    for channel in picked:
        back, strengths = deconvnet(look.model, look.images, layer, int(channel))
        for row, one, strength in zip(rows, back, strengths):
            title = f"{layer} {channel}: {strength:.3g}"
            row.append(Tile(shown(signed_picture(one)), title))
    return rows


def grad_cams(look):
    """A pair an image: where in the maps of a layer a class was seen."""
    layer = look.layer or inspect_layers.last_large_maps(look.model)
    classes = [_class(look, i) for i in range(len(look.images))]
    heats = grad_cam(look.model, look.images, classes, layer)
    rows = []
    for i, heat in enumerate(heats):
        picture = heat_over(shown(look.pictures[i]), heat)
        title = (
            f"{_name(look, classes[i])} in {layer}, {heat.shape[0]} x {heat.shape[1]}"
        )
        scale = maps.draw_scale((0, 1), picture.shape[1])
        rows.append([_image(look, i), Tile(picture, title, scale)])
    return rows


def attention(look):
    """A pair an image: what the class token looks at, through all layers."""
    _, weights = vit.attention_maps(look.model, look.images)
    patches = next(layer for layer in look.model.layers if has_maps(layer))
    seen = vit.attention_picture(weights, patches.output.shape[1:3])
    rows = []
    for i, heat in enumerate(seen):
        heat = (heat - heat.min()) / max(heat.max() - heat.min(), 1e-9)
        picture = heat_over(shown(look.pictures[i]), heat)
        title = f"attention, {heat.shape[0]} x {heat.shape[1]} patches"
        rows.append([_image(look, i), Tile(picture, title)])
    return rows


SHEETS = {
    "filters": filters,
    "maps": feature_maps,
    "occlusion": occlusion,
    "deconvnet": deconvnets,
    "grad_cam": grad_cams,
    "attention": attention,
}


def _image(look, i):
    """The tile of an image: what the model says, what is right, how sure it is."""
    scores = look.answers[i]
    answer = int(scores.argmax())
    sure = f"{scores[answer]:.3g}"
    if _is_shares(scores):
        sure = f"{100 * scores[answer]:.1f} %"
    title = f"{_name(look, answer)}, {sure}"
    truth = look.truths[i]
    if truth is not None and truth != _name(look, answer):
        title += f", is {truth}"
    return Tile(shown(look.pictures[i]), title)


def _is_shares(scores):
    """Whether scores are probabilities and no logits."""
    return scores.min() >= 0 and abs(scores.sum() - 1) < 1e-3


def _name(look, label):
    return str(look.labels[label]) if look.labels else f"class {label}"


def _class(look, i):
    return int(look.answers[i].argmax()) if look.wanted is None else look.wanted


def _checked(channels, layer, count):
    for channel in channels:
        if channel >= count:
            raise ValueError(f"layer {layer!r} has {count} channels, no {channel}")
    return channels
