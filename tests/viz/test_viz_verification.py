import numpy as np
import pytest
from PIL import Image

from kcv.viz.located import save_located
from kcv.viz.roc import save_roc

VERMILION, ORANGE = (0xD5, 0x5E, 0x00), (0xE6, 0x9F, 0x00)


def test_roc_picture(tmp_path):
    rates = np.linspace(0, 1, 50)
    curves = {"good": (rates, rates**0.2), "bad": (rates, rates)}
    path = save_roc(curves, tmp_path / "roc.png", mark=1e-2)
    first = path.read_bytes()
    assert min(Image.open(path).size) > 400
    save_roc(curves, path, mark=1e-2)
    assert path.read_bytes() == first
    with pytest.raises(ValueError, match="at least one curve"):
        save_roc({}, path)


def count(path, color):
    return (np.asarray(Image.open(path).convert("RGB")) == color).all(axis=-1).sum()


def test_boxes_of_right_and_wrong_answers(tmp_path):
    images = np.full((2, 32, 32, 3), 0.5, "float32")
    found, truth = [[4, 4, 20, 20]] * 2, [[5, 4, 20, 22], [0, 0, 0, 0]]
    path = tmp_path / "x.png"
    save_located(images, np.float32(found), np.float32(truth), ["a", "b"], path)
    outline = count(path, ORANGE)
    assert outline > 2 * 4 * 60 * 2 * 0.9  # two boxes of 80 pixels, lines of 2
    correct = [True, False]
    save_located(images, np.float32(found), np.float32(truth), ["a", "b"], path,
                 correct)  # fmt: skip
    assert count(path, ORANGE) == outline / 2
    assert count(path, VERMILION) > outline / 2


def test_grey_images_and_boxes_beyond_the_border(tmp_path):
    images = np.zeros((1, 20, 40, 1), "uint8")
    found = np.float32([[-50, -50, 500, 500]])
    path = save_located(images, found, found, ["x"], tmp_path / "x.png")
    assert count(path, ORANGE) > 100
