"""What the gate measured on one file."""

import pathlib
from typing import NamedTuple

import numpy as np

from kcv.export.flatbuffer import Graph


class Range(NamedTuple):
    """The values that one quantized activation can take."""

    layer: str  # "" where no layer is known, as for the converter's own operators
    tensor: str
    dtype: str
    minimum: float
    maximum: float
    scale: float  # real = scale * (quantized - zero_point)
    zero_point: int


class Report(NamedTuple):
    """Result of `convert`."""

    path: pathlib.Path
    bytes: int  # of the whole file
    quantization: str  # "float32", "float16", "dynamic", "int8" or "int16x8"
    operators: dict[str, int]
    parity: dict[str, float]  # output -> deviation from Keras, see `gate.deviation`
    bound: float  # of the deviation
    metrics: dict  # {"name", "higher_is_better", "keras", "file"}, {} if not evaluated
    ranges: list[Range]  # empty for float files
    manifest: dict  # what kcv.json says

    @property
    def metric_keras(self) -> float | None:
        """The metric of the Keras model; None where it was not evaluated."""
        return self.metrics.get("keras")

    @property
    def metric_file(self) -> float | None:
        """The metric of the file."""
        return self.metrics.get("file")

    @property
    def drop(self) -> float | None:
        """How much worse the file is than Keras; negative where it is better."""
        if not self.metrics:
            return None
        drop = self.metrics["keras"] - self.metrics["file"]
        return drop if self.metrics["higher_is_better"] else -drop

    def as_dict(self) -> dict:
        """Returns the report for a JSON file."""
        ranges = [x._asdict() for x in self.ranges]
        fields = self._asdict() | {"path": str(self.path), "ranges": ranges}
        return fields | {"drop": self.drop}

    def markdown(self) -> str:
        """Returns the report as a page of tables."""
        rows = [("size", f"{self.bytes:,} bytes"), ("quantization", self.quantization)]
        if self.metrics:
            name = self.metrics["name"]
            rows.append((f"{name}, Keras", f"{self.metric_keras:.4f}"))
            rows.append((f"{name}, file", f"{self.metric_file:.4f}"))
            rows.append(("drop", f"{self.drop:+.4f}"))
        for name, value in self.parity.items():
            rows.append((f"deviation of {name}", f"{value:.2e} (<= {self.bound:g})"))
        rows += [(f"{name} operators", n) for name, n in self.operators.items()]
        text = f"# {self.path.name}\n\n" + _table(("", ""), rows)
        if self.ranges:
            head = ("layer", "type", "minimum", "maximum", "scale", "zero point")
            rows = [
                (x.layer or x.tensor, x.dtype, f"{x.minimum:.4g}", f"{x.maximum:.4g}")
                + (f"{x.scale:.4g}", x.zero_point)
                for x in self.ranges
            ]
            text += "\n## Ranges of the activations\n\n" + _table(head, rows)
        return text


def _table(head, rows):
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(str(x) for x in row) + " |\n" for row in lines)


def activation_ranges(graph: Graph, layers: list[str]) -> list[Range]:
    """Lists what calibration, or training with quantization, has fixed.

    Args:
        graph: what the file holds.
        layers: layer of each tensor, see `blame.name_tensors`.

    Returns:
        One row for each quantized activation, in the order of the file.
    """
    ranges = []
    for tensor in graph.tensors:
        if tensor.constant or not tensor.scale:
            continue
        limits = np.iinfo(tensor.dtype.lower())
        scale, zero_point = tensor.scale[0], tensor.zero_point[0]
        low, high = ((q - zero_point) * scale for q in (limits.min, limits.max))
        ranges.append(
            Range(
                layers[tensor.index],
                tensor.name,
                tensor.dtype.lower(),
                low,
                high,
                scale,
                zero_point,
            )
        )
    return ranges
