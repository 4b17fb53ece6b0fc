"""Rows of the detectors."""

from functools import partial

from kcv.zoo.entry import Entry, builder

_SSD = "W. Liu et al. 2016, https://arxiv.org/abs/1512.02325"
_SPEED = "J. Huang et al. 2017, https://arxiv.org/abs/1611.10012"
_V2 = "M. Sandler et al. 2018, https://arxiv.org/abs/1801.04381"
_YOLO_V1 = "J. Redmon et al. 2016, https://arxiv.org/abs/1506.02640"
_YOLO_V2 = "J. Redmon, A. Farhadi 2017, https://arxiv.org/abs/1612.08242"
_RETINANET = "T. Lin et al. 2017, https://arxiv.org/abs/1708.02002"

_from = partial(builder, "detection")


def _row(file, name, ids, paper, shape, counts, method, shared=(), cell=0, **knobs):
    """A row; `shared` names knobs that the anchors have as well."""
    own = {knob: knobs[knob] for knob in shared}
    anchors = _from(file, f"{name}_anchors", **own)
    recipe = knobs.pop("recipe", None)
    return Entry(
        *(_from(file, name, **knobs), ids, "detection", paper, shape, *counts),
        recipe=recipe,
        method=method,
        anchors=anchors,
        stride=cell,
    )


# fmt: off
ROWS = {
    "ssd300": _row(
        "ssd", "ssd300", ("D06", "D14"), _SSD, (300, 300, 3),
        (26_285_486, 31_374_277_120), "ssd"),
    "ssd512": _row(
        "ssd", "ssd512", ("D06",), _SSD, (512, 512, 3),
        (27_188_676, 90_210_006_016), "ssd"),
    "ssd_mobilenet_v1": _row(
        "ssd_mobilenet", "ssd_mobilenet_v1", ("D06", "D14"), _SPEED, (300, 300, 3),
        (6_845_183, 1_123_596_608), "ssd"),
    "ssd_mobilenet_v1_050": _row(
        "ssd_mobilenet", "ssd_mobilenet_v1", ("D06", "D14"), _SPEED, (300, 300, 3),
        (2_084_255, 319_280_288), "ssd", alpha=0.5),
    "ssd_mobilenet_v2": _row(
        "ssd_mobilenet", "ssd_mobilenet_v2", ("D06", "D14"), _V2, (300, 300, 3),
        (6_103_999, 772_779_056),
        "ssd"),
    "ssdlite_mobilenet_v2": _row(
        "ssd_mobilenet", "ssdlite_mobilenet_v2", ("D06", "D14"), _V2, (320, 320, 3),
        (4_551_295, 804_397_504), "ssd"),
    "retinanet": _row(
        "retinanet", "retinanet", ("D09",), _RETINANET, (512, 512, 3),
        (33_919_604, 59_550_875_648),
        "retinanet"),
    "retinanet_vgg16_025": _row(
        "retinanet", "retinanet", ("D09",), _RETINANET, (128, 128, 3),
        (1_566_404, 504_729_600),
        "retinanet", ("levels",), body="vgg16", alpha=0.25, filters=64, convolutions=1,
        levels=(3, 4, 5)),
    "yolo_v1": _row(
        "yolo_v1", "yolo_v1", ("D07",), _YOLO_V1, (448, 448, 3),
        (271_703_550, 20_285_153_280), "yolo_v1",
        cell=64),
    "yolo_v1_tiny": _row(
        "yolo_v1", "yolo_v1", ("D07",), _YOLO_V1, (448, 448, 3),
        (27_099_950, 1_608_015_360), "yolo_v1",
        cell=64, variant="tiny"),
    "yolo_v1_tiny_050": _row(
        "yolo_v1", "yolo_v1", ("D07",), _YOLO_V1, (128, 128, 3),
        (17_897_656, 170_262_528), "yolo_v1",
        ("stride",), 16, variant="tiny", alpha=0.5, stride=16),
    "yolo_v2": _row(
        "yolo_v2", "yolo_v2", ("D08",), _YOLO_V2, (416, 416, 3),
        (50_676_061, 14_680_167_424), "yolo_v2",
        cell=32),
    "yolo_v2_025": _row(
        "yolo_v2", "yolo_v2", ("D08",), _YOLO_V2, (128, 128, 3),
        (1_948_981, 149_504_000), "yolo_v2",
        ("stride",), 16, alpha=0.25, stride=16),
}
# fmt: on
