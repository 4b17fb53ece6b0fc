"""Rows of the detectors."""

from functools import partial

from kcv.zoo.entry import Entry, builder

_SSD = "W. Liu et al. 2016, https://arxiv.org/abs/1512.02325"
_SPEED = "J. Huang et al. 2017, https://arxiv.org/abs/1611.10012"
_V2 = "M. Sandler et al. 2018, https://arxiv.org/abs/1801.04381"
_YOLO_V1 = "J. Redmon et al. 2016, https://arxiv.org/abs/1506.02640"
_YOLO_V2 = "J. Redmon, A. Farhadi 2017, https://arxiv.org/abs/1612.08242"
_FASTER = "S. Ren et al. 2015, https://arxiv.org/abs/1506.01497"
_RCNN = "R. Girshick et al. 2014, https://arxiv.org/abs/1311.2524"
_FAST = "R. Girshick 2015, https://arxiv.org/abs/1504.08083"
_R_FCN = "J. Dai et al. 2016, https://arxiv.org/abs/1605.06409"
_MASK = "K. He et al. 2017, https://arxiv.org/abs/1703.06870"
_MNC = "J. Dai et al. 2016, https://arxiv.org/abs/1512.04412"
_SDS = "B. Hariharan et al. 2014, https://arxiv.org/abs/1407.1808"
_RETINANET = "T. Lin et al. 2017, https://arxiv.org/abs/1708.02002"

_from = partial(builder, "detection")


def _row(file, name, ids, paper, shape, counts, method="", shared=(), cell=0, **knobs):
    """A row; `shared` names knobs that the anchors have as well."""
    own = {knob: knobs[knob] for knob in shared}
    anchors = _from(file, f"{name}_anchors", **own) if method else None
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
    "ssd_resnet101": _row(
        "ssd_body", "ssd", ("D14",), _SPEED, (300, 300, 3),
        (47_266_239, 14_366_315_008), "ssd", ("body",),
        body="resnet101"),
    "ssd_mobilenet_v1_small": _row(
        "ssd_body", "ssd", ("D06", "D14"), _SPEED, (128, 128, 3),
        (1_461_791, 71_161_728), "ssd", ("body", "first_level"),
        body="mobilenet_v1", alpha=0.5, first_level=3,
        recipe="ssd_mobilenet_v1_small_scenes"),
    "ssd_darknet19_small": _row(
        "ssd_body", "ssd", ("D14",), _SPEED, (128, 128, 3),
        (681_463, 55_967_168), "ssd", ("body", "first_level"),
        body="darknet19", alpha=0.25, first_level=3),
    "retinanet": _row(
        "retinanet", "retinanet", ("D09",), _RETINANET, (512, 512, 3),
        (33_919_604, 59_550_875_648),
        "retinanet"),
    "retinanet_025": _row(
        "retinanet", "retinanet", ("D09",), _RETINANET, (128, 128, 3),
        (1_894_764, 243_896_320),
        "retinanet", ("levels",), body="darknet19", alpha=0.25, filters=64,
        convolutions=1, levels=(3, 4, 5), recipe="retinanet_025_scenes"),
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
        ("stride",), 16, alpha=0.25, stride=16, recipe="yolo_v2_025_scenes"),
    "yolo_9000": _row(
        "yolo_9000", "yolo_9000", ("D08",), _YOLO_V2, (416, 416, 3),
        (79_523_661, 19_550_655_488), "yolo_9000", cell=32),
    "yolo_9000_025": _row(
        "yolo_9000", "yolo_9000", ("D08",), _YOLO_V2, (128, 128, 3),
        (1_941_528, 149_028_864), "yolo_9000", ("stride",), 16,
        classes=27, alpha=0.25, stride=16, recipe="yolo_9000_025_scenes"),
    "rcnn": _row(
        "rcnn", "rcnn", ("D02",), _RCNN, (227, 227, 3), (57_687_524, 721_130_016),
        recipe="rcnn_scenes"),
    "fast_rcnn": _row(
        "fast_rcnn", "fast_rcnn", ("D03",), _FAST, (512, 512, 3),
        (134_674_341, 320_081_035_264)),
    "faster_rcnn": _row(
        "faster_rcnn", "faster_rcnn", ("D04", "D14"), _FASTER, (512, 512, 3),
        (29_151_550, 22_154_010_624),
        "two_stage"),
    "faster_rcnn_fpn": _row(
        "faster_rcnn", "faster_rcnn_fpn", ("D04",), _FASTER, (512, 512, 3),
        (41_832_736, 62_253_457_408),
        "two_stage"),
    "faster_rcnn_025": _row(
        "faster_rcnn", "faster_rcnn", ("D04", "D14"), _FASTER, (128, 128, 3),
        (1_238_582, 152_135_936),
        "two_stage", ("stride", "sides"), body="darknet19", alpha=0.25, stride=8,
        level="C4", sides=(20, 40, 80), rpn_filters=64, units=128, proposals=50,
        recipe="faster_rcnn_025_scenes"),
    "r_fcn": _row(
        "r_fcn", "r_fcn", ("D05", "D14"), _R_FCN, (512, 512, 3),
        (34_697_202, 42_991_091_712), "two_stage"),
    "r_fcn_025": _row(
        "r_fcn", "r_fcn", ("D05", "D14"), _R_FCN, (128, 128, 3), (482_594, 137_871_360),
        "two_stage", ("stride", "sides"), body="darknet19", alpha=0.25, stride=8,
        level="C4", sides=(20, 40, 80), rpn_filters=64, filters=128, size=3,
        proposals=50, recipe="r_fcn_025_scenes"),
    "mnc": _row(
        "mnc", "mnc", ("D10",), _MNC, (512, 512, 3),
        (282_908_642, 83_131_011_072), "cascade"),
    "mnc_025": _row(
        "mnc", "mnc", ("D10",), _MNC, (128, 128, 3), (3_650_702, 117_708_288),
        "cascade", ("stride", "sides"), body="darknet19", alpha=0.25, stride=8,
        level="C4", sides=(20, 40, 80), rpn_filters=64, mask_size=14, mask_units=64,
        units=128, proposals=50, stages=5, recipe="mnc_025_scenes"),
    "sds": _row(
        "sds", "sds", ("D15",), _SDS, (227, 227, 3),
        (130_494_501, 1_457_377_664), recipe="sds_scenes"),
    "mask_rcnn": _row(
        "mask_rcnn", "mask_rcnn", ("D09",), _MASK, (512, 512, 3),
        (44_476_016, 52_770_336_768), "mask_rcnn"),
    "mask_rcnn_025": _row(
        "mask_rcnn", "mask_rcnn", ("D09",), _MASK, (128, 128, 3),
        (1_965_896, 195_781_888), "mask_rcnn", ("sides",), body="darknet19", alpha=0.25,
        sides=(16, 28, 48, 72), filters=64, units=128, proposals=50,
        canonical_size=112, mask_filters=32, convolutions=2,
        recipe="mask_rcnn_025_scenes"),
    "keypoint_rcnn": _row(
        "mask_rcnn", "keypoint_rcnn", ("D09",), _MASK, (512, 512, 3),
        (59_265_958, 55_614_595_072), "keypoint_rcnn"),
    "keypoint_rcnn_025": _row(
        "mask_rcnn", "keypoint_rcnn", ("D09",), _MASK, (128, 128, 3),
        (1_983_582, 192_638_976), "keypoint_rcnn", ("sides",), body="darknet19",
        alpha=0.25, sides=(20, 40, 64, 88), filters=64, units=128, proposals=20,
        keypoint_filters=48, convolutions=4, recipe="keypoint_rcnn_025_scenes"),
}
# fmt: on
