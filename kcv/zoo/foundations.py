"""Rows of the foundations."""

from functools import partial

from kcv.zoo.entry import Entry, builder

_ROSENBLATT = "F. Rosenblatt 1958, https://doi.org/10.1037/h0042519"
_RUMELHART = "D. Rumelhart et al. 1986, https://doi.org/10.1038/323533a0"

_from = partial(builder, "foundations")

# fmt: off
ROWS = {
    "perceptron": Entry(
        _from("perceptron", "perceptron"), ("F01",), "classification", _ROSENBLATT,
        (8, 8, 1), 650, 640, pixel_range=(0.0, 1.0), recipe="perceptron_digits"),
    "mlp": Entry(
        _from("mlp", "mlp"), ("F02",), "classification", _RUMELHART, (8, 8, 1), 17_226,
        17_024, pixel_range=(0.0, 1.0), recipe="mlp_digits"),
}
# fmt: on
