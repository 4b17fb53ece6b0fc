import numpy as np
import pytest
from PIL import Image

import kcv.edge
from kcv.edge import benchmark, preprocess

pytestmark = pytest.mark.slow  # trains and converts with TensorFlow

TOLERANCE = {"float32": 1e-5, "float16": 5e-3, "int16x8": 0.02}  # others: 8 bits
KINDS = ("float32", "float16", "dynamic", "uint8", "int8", "int8_float", "int16x8")


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_those_of_keras(exported, kind):
    classifier = kcv.edge.load(exported.files[kind])
    found = classifier.probabilities(exported.pixels)
    difference = np.abs(found - exported.probabilities).max()
    assert difference <= TOLERANCE.get(kind, 0.2)
    right = (found.argmax(-1) == exported.labels).mean()
    right_in_keras = (exported.probabilities.argmax(-1) == exported.labels).mean()
    assert right_in_keras > 0.85
    assert abs(right - right_in_keras) <= 0.01


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_exported_pixels_are_fed_straight(exported, kind):
    classifier = kcv.edge.load(exported.files[kind])
    assert preprocess.feeds_straight(
        np.float32(classifier.model.mean),
        np.float32(classifier.model.std),
        classifier._runner.input,
    )


def test_a_picture_file_is_named_by_its_label(exported, tmp_path):
    best = exported.probabilities.max(-1).argmax()
    path = tmp_path / "digit.png"
    image = Image.fromarray(exported.pixels[best])
    image.resize((256, 256), Image.Resampling.NEAREST).save(path)
    answer = kcv.edge.load(exported.files["uint8"]).predict(path, top_k=1)[0]
    assert answer.label == f"digit {exported.labels[best]}"
    assert answer.score > 0.9


def test_benchmark_of_an_exported_file(exported):
    found = benchmark.measure(
        exported.files["uint8"], (1, 2), runs=20, per_operator=True
    )
    assert found.model == "digits_cnn"
    assert found.operators["CONV_2D"] == 2
    assert len(found.per_operator) == sum(found.operators.values())
    total = sum(row.milliseconds for row in found.per_operator)
    assert total > 0
