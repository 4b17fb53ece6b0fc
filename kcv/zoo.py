"""All models by name. One row here gives a model its name, test and table entry.

Reading the table costs no import of Keras (seconds): a row's builder imports the file
of its model when it is called.
"""

import importlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import keras


class Entry(NamedTuple):
    """What the zoo knows of a model; counts are at the builder's defaults."""

    build: Callable[..., "keras.Model"]
    ids: tuple[str, ...]  # of the systems it implements
    task: str
    paper: str
    input_shape: tuple[int, int, int]  # (height, width, channels)
    parameters: int  # all weights, batch statistics included
    multiply_adds: int  # of one image; see kcv.models.multiply_adds
    pixel_range: tuple[float, float] = (-1.0, 1.0)  # of black and white
    recipe: str | None = None  # name of a flagfile in tools/recipes

    @property
    def mean(self) -> float:
        """Of x = (pixel - mean) / std, with pixels in 0..255."""
        low, high = self.pixel_range
        return round((0 - low) * 255 / (high - low), 6)

    @property
    def std(self) -> float:
        """Of x = (pixel - mean) / std, with pixels in 0..255."""
        low, high = self.pixel_range
        return round(255 / (high - low), 6)


def _import_and_build(module, builder, **kwargs):
    module = importlib.import_module(f"kcv.models.{module}")
    return getattr(module, builder)(**kwargs)


def _from(module, builder, **kwargs):
    """The builder of a file in kcv/models, not imported yet, with `kwargs` given."""
    return partial(_import_and_build, module, builder, **kwargs)


_ROSENBLATT = "F. Rosenblatt 1958, https://doi.org/10.1037/h0042519"
_RUMELHART = "D. Rumelhart et al. 1986, https://doi.org/10.1038/323533a0"
_LENET_1989 = "Y. LeCun et al. 1989, https://doi.org/10.1162/neco.1989.1.4.541"
_LENET5 = "Y. LeCun et al. 1998, https://doi.org/10.1109/5.726791"
_CIFAR = (
    "Keras example cifar10_cnn 2015, https://github.com/keras-team/keras/tree/2.3.1"
)
_V1 = "A. Howard et al. 2017, https://arxiv.org/abs/1704.04861"
_V2 = "M. Sandler et al. 2018, https://arxiv.org/abs/1801.04381"
_V3 = "A. Howard et al. 2019, https://arxiv.org/abs/1905.02244"

# fmt: off
ZOO = {
    "perceptron": Entry(
        _from("foundations.perceptron", "perceptron"),
        ("F01",), "classification", _ROSENBLATT, (8, 8, 1),
        650, 640, pixel_range=(0.0, 1.0), recipe="perceptron_digits",
    ),
    "mlp": Entry(
        _from("foundations.mlp", "mlp"),
        ("F02",), "classification", _RUMELHART, (8, 8, 1),
        17_226, 17_024, pixel_range=(0.0, 1.0), recipe="mlp_digits",
    ),
    "lenet_1989": Entry(
        _from("classification.lenet", "lenet_1989"),
        ("C01",), "classification", _LENET_1989, (16, 16, 1),
        8_824, 63_660, recipe="lenet_1989_digits",
    ),
    "lenet5": Entry(
        _from("classification.lenet", "lenet5"),
        ("C01",), "classification", _LENET5, (28, 28, 1),
        61_706, 416_520, pixel_range=(-0.1, 1.175), recipe="lenet5_digits",
    ),
    "lenet5_1998": Entry(
        _from("classification.lenet", "lenet5_1998"),
        ("C01",), "classification", _LENET5, (28, 28, 1),
        60_850, 328_096, pixel_range=(-0.1, 1.175), recipe="lenet5_1998_digits",
    ),
    "cifar_cnn": Entry(
        _from("classification.cifar_cnn", "cifar_cnn"),
        ("C15",), "classification", _CIFAR, (32, 32, 3),
        1_250_858, 20_741_120, pixel_range=(0.0, 1.0), recipe="cifar_cnn_digits",
    ),
    "mobilenet_v1": Entry(
        _from("classification.mobilenet_v1", "mobilenet_v1"),
        ("C14",), "classification", _V1, (224, 224, 3),
        4_253_864, 568_740_352,
    ),
    "mobilenet_v1_075": Entry(
        _from("classification.mobilenet_v1", "mobilenet_v1", alpha=0.75),
        ("C14",), "classification", _V1, (224, 224, 3),
        2_601_976, 325_400_448,
    ),
    "mobilenet_v1_050": Entry(
        _from("classification.mobilenet_v1", "mobilenet_v1", alpha=0.5),
        ("C14",), "classification", _V1, (224, 224, 3),
        1_342_536, 149_497_088,
    ),
    "mobilenet_v1_025": Entry(
        _from("classification.mobilenet_v1", "mobilenet_v1", alpha=0.25),
        ("C14",), "classification", _V1, (224, 224, 3),
        475_544, 41_030_272, recipe="mobilenet_v1_025_digits",
    ),
    "mobilenet_v2": Entry(
        _from("classification.mobilenet_v2", "mobilenet_v2"),
        ("C14",), "classification", _V2, (224, 224, 3),
        3_538_984, 300_774_272,
    ),
    "mobilenet_v2_035": Entry(
        _from("classification.mobilenet_v2", "mobilenet_v2", alpha=0.35),
        ("C14",), "classification", _V2, (224, 224, 3),
        1_691_208, 59_285_808, recipe="mobilenet_v2_035_digits",
    ),
    "mobilenet_v2_050": Entry(
        _from("classification.mobilenet_v2", "mobilenet_v2", alpha=0.5),
        ("C14",), "classification", _V2, (224, 224, 3),
        1_987_224, 97_131_840,
    ),
    "mobilenet_v2_075": Entry(
        _from("classification.mobilenet_v2", "mobilenet_v2", alpha=0.75),
        ("C14",), "classification", _V2, (224, 224, 3),
        2_663_064, 209_069_792,
    ),
    "mobilenet_v2_130": Entry(
        _from("classification.mobilenet_v2", "mobilenet_v2", alpha=1.3),
        ("C14",), "classification", _V2, (224, 224, 3),
        5_431_048, 509_374_560,
    ),
    "mobilenet_v2_140": Entry(
        _from("classification.mobilenet_v2", "mobilenet_v2", alpha=1.4),
        ("C14",), "classification", _V2, (224, 224, 3),
        6_156_712, 582_195_824,
    ),
    "mobilenet_v3_small": Entry(
        _from("classification.mobilenet_v3", "mobilenet_v3_small"),
        ("C14",), "classification", _V3, (224, 224, 3),
        2_554_968, 56_510_400, recipe="mobilenet_v3_small_digits",
    ),
    "mobilenet_v3_large": Entry(
        _from("classification.mobilenet_v3", "mobilenet_v3_large"),
        ("C14",), "classification", _V3, (224, 224, 3),
        5_507_432, 216_589_760, recipe="mobilenet_v3_large_digits",
    ),
    "mobilenet_v3_small_minimalistic": Entry(
        _from("classification.mobilenet_v3", "mobilenet_v3_small", minimalistic=True),
        ("C14",), "classification", _V3, (224, 224, 3),
        2_056_848, 52_288_448, recipe="mobilenet_v3_small_minimalistic_digits",
    ),
    "mobilenet_v3_large_minimalistic": Entry(
        _from("classification.mobilenet_v3", "mobilenet_v3_large", minimalistic=True),
        ("C14",), "classification", _V3, (224, 224, 3),
        3_948_688, 209_136_704, recipe="mobilenet_v3_large_minimalistic_digits",
    ),
}
# fmt: on


def entry(name: str) -> Entry:
    """Returns the row of `name`; the error for an unknown one lists all names."""
    if name not in ZOO:
        raise ValueError(f"no model {name!r} in the zoo; known: {', '.join(ZOO)}")
    return ZOO[name]


def build(name: str, **kwargs) -> "keras.Model":
    """Builds the model `name`; `kwargs` go to its builder, e.g. classes=10."""
    row = entry(name)
    return row.build(**{"input_shape": row.input_shape, **kwargs})
