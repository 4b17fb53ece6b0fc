"""Rows of the classifiers made for phones."""

from functools import partial

from kcv.zoo.entry import Entry, builder

_V1 = "A. Howard et al. 2017, https://arxiv.org/abs/1704.04861"
_V2 = "M. Sandler et al. 2018, https://arxiv.org/abs/1801.04381"
_V3 = "A. Howard et al. 2019, https://arxiv.org/abs/1905.02244"

_TASK = "classification"
_from = partial(builder, "classification")

# fmt: off
ROWS = {
    "mobilenet_v1": Entry(
        _from("mobilenet_v1", "mobilenet_v1"), ("C14",), _TASK, _V1, (224, 224, 3),
        4_253_864, 568_740_352),
    "mobilenet_v1_075": Entry(
        _from("mobilenet_v1", "mobilenet_v1", alpha=0.75), ("C14",), _TASK, _V1,
        (224, 224, 3), 2_601_976, 325_400_448),
    "mobilenet_v1_050": Entry(
        _from("mobilenet_v1", "mobilenet_v1", alpha=0.5), ("C14",), _TASK, _V1,
        (224, 224, 3), 1_342_536, 149_497_088),
    "mobilenet_v1_025": Entry(
        _from("mobilenet_v1", "mobilenet_v1", alpha=0.25), ("C14",), _TASK, _V1,
        (224, 224, 3), 475_544, 41_030_272, recipe="mobilenet_v1_025_digits"),
    "mobilenet_v2": Entry(
        _from("mobilenet_v2", "mobilenet_v2"), ("C14",), _TASK, _V2, (224, 224, 3),
        3_538_984, 300_774_272),
    "mobilenet_v2_035": Entry(
        _from("mobilenet_v2", "mobilenet_v2", alpha=0.35), ("C14",), _TASK, _V2,
        (224, 224, 3), 1_691_208, 59_285_808, recipe="mobilenet_v2_035_digits"),
    "mobilenet_v2_050": Entry(
        _from("mobilenet_v2", "mobilenet_v2", alpha=0.5), ("C14",), _TASK, _V2,
        (224, 224, 3), 1_987_224, 97_131_840),
    "mobilenet_v2_075": Entry(
        _from("mobilenet_v2", "mobilenet_v2", alpha=0.75), ("C14",), _TASK, _V2,
        (224, 224, 3), 2_663_064, 209_069_792),
    "mobilenet_v2_130": Entry(
        _from("mobilenet_v2", "mobilenet_v2", alpha=1.3), ("C14",), _TASK, _V2,
        (224, 224, 3), 5_431_048, 509_374_560),
    "mobilenet_v2_140": Entry(
        _from("mobilenet_v2", "mobilenet_v2", alpha=1.4), ("C14",), _TASK, _V2,
        (224, 224, 3), 6_156_712, 582_195_824),
    "mobilenet_v3_small": Entry(
        _from("mobilenet_v3", "mobilenet_v3_small"), ("C14",), _TASK, _V3,
        (224, 224, 3), 2_554_968, 56_510_400, recipe="mobilenet_v3_small_digits"),
    "mobilenet_v3_large": Entry(
        _from("mobilenet_v3", "mobilenet_v3_large"), ("C14",), _TASK, _V3,
        (224, 224, 3), 5_507_432, 216_589_760, recipe="mobilenet_v3_large_digits"),
    "mobilenet_v3_small_minimalistic": Entry(
        _from("mobilenet_v3", "mobilenet_v3_small", minimalistic=True), ("C14",), _TASK,
        _V3, (224, 224, 3), 2_056_848, 52_288_448,
        recipe="mobilenet_v3_small_minimalistic_digits"),
    "mobilenet_v3_large_minimalistic": Entry(
        _from("mobilenet_v3", "mobilenet_v3_large", minimalistic=True), ("C14",), _TASK,
        _V3, (224, 224, 3), 3_948_688, 209_136_704,
        recipe="mobilenet_v3_large_minimalistic_digits"),
}
# fmt: on
