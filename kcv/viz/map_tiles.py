"""Tiles of labels that are a number or a vector a pixel.

Every drawer takes the record, a `View` and the key, and gives a list of tiles.
"""

import numpy as np

from kcv.viz import flow_wheel, maps, text, tiles
from kcv.viz.tiles import Tile
from kcv.viz.view import with_legend

_WHEEL = 72  # side of a legend, pixels


def draw_values(record, view, key):
    """Numbers, such as depth, with a scale below."""
    values = record[key].astype(np.float64)
    known = record.get(f"{key}_valid", values > 0 if key == "depth" else None)
    limits = maps.limits_of(values, known)
    known = None if known is None else view.at_scale(known)
    picture = maps.draw_values(view.at_scale(values), limits, known)
    legend = maps.draw_scale(limits, max(picture.shape[1], tiles.NARROWEST))
    return [Tile(picture, key, legend)]


def draw_normals(record, view, key):
    """Surface normals."""
    legend = [((255, 128, 128), "right"), ((128, 255, 128), "up")]
    legend.append(((128, 128, 255), "to the camera"))
    picture = maps.draw_normals(view.at_scale(record["normals"]))
    return [with_legend(picture, "normals", legend)]


def draw_light(record, view, key):
    """Linear light; white is 1, or the largest where that is more."""
    values = record[key].astype(np.float64)
    largest = max(float(np.nanmax(values, initial=0)), 1.0)
    title = key if largest == 1 else f"{key}, white is {largest:.3g}"
    return [Tile(maps.draw_light(view.at_scale(values), largest), title)]


def draw_flow(record, view, key):
    """Flow; and the next image moved back by it, which is to look like the image."""
    flow, valid = record["flow"], record.get("flow_valid")
    longest = flow_wheel.longest(flow, valid)
    made = [_flow_tile("flow", flow, valid, longest, view)]
    if "next_images" in record:
        later = tiles.as_uint8(record["next_images"], view.pixel_range)
        back, hidden = maps.moved_back(later, flow)
        for key, hides in (("flow_valid", 0), ("occlusion", 1)):
            if key in record:
                hidden = hidden | (record[key].reshape(hidden.shape) == hides)
        back = tiles.scaled_picture(back, view.scale)
        picture = tiles.hatched(back, view.at_scale(hidden))
        made.append(Tile(picture, "next_images moved back by flow"))
    return made


def draw_flow_backward(record, view, key):
    """Flow from the next image to this one, its own longest at the rim."""
    flow = record["flow_backward"]
    longest = flow_wheel.longest(flow)
    return [_flow_tile("flow_backward", flow, None, longest, view)]


def _flow_tile(title, flow, valid, longest, view):
    full = longest if view.max_flow is None else view.max_flow
    valid = None if valid is None else view.at_scale(valid)
    picture = flow_wheel.draw_flow(view.at_scale(flow), full, valid)
    wheel = flow_wheel.draw_wheel(_WHEEL)
    room = max(picture.shape[1], tiles.NARROWEST) - _WHEEL - 8
    words = [f"rim: {full:.3g} pixels", f"longest: {longest:.3g}"]
    note = text.block([text.Line(line, text.SMALL) for line in words], max(room, 90))
    return Tile(picture, title, tiles.flowed([wheel, note], 10_000, 8))


def draw_occlusion(record, view, key):
    """Pixels that the next image does not show."""
    marked = view.at_scale(record["occlusion"][..., 0])
    share = float(np.mean(record["occlusion"] > 0))
    title = f"occlusion, {100 * share:.1f} %"
    return [Tile(maps.draw_marked(view.image, marked), title)]
