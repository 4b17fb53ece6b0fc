import numpy as np
import pytest
import tiny_tasks
import tiny_tflite
from PIL import Image

import kcv.edge
from kcv.edge import draw, localise

RNG = np.random.default_rng(0)


def pixels(height=16, width=40):
    return RNG.integers(0, 256, (height, width, 3)).astype("uint8")


@pytest.mark.parametrize("io_dtype", ["float32", "uint8"])
def test_box_is_in_pixels_of_the_given_image(tmp_path, io_dtype):
    """40 wide and 16 high from 8 x 8: x times 5, y times 2."""
    path = tiny_tasks.localiser(tmp_path / "x.tflite", io_dtype)
    localiser = kcv.edge.load(path)
    assert isinstance(localiser, localise.Localiser)
    found = localiser.predict(pixels())
    np.testing.assert_allclose(found.box, (5, 4, 25, 14), atol=5 * 0.05)
    assert found.label == f"class {found.index}"
    assert localiser.predict_batch([pixels(), pixels(8, 8)])[1].box[2] < 5.1


def test_class_and_score_are_those_of_the_reference(tmp_path):
    localiser = kcv.edge.load(tiny_tasks.localiser(tmp_path / "x.tflite"))
    image = pixels(8, 8)
    expected = tiny_tflite.reference((image[None] - 127.5) / 127.5)[0]
    found = localiser.predict(image)
    assert found.index == expected.argmax()
    assert found.score == pytest.approx(expected.max(), abs=1e-5)
    outputs = localiser.outputs(image[None])
    np.testing.assert_allclose(outputs["probabilities"], [expected], atol=1e-5)
    np.testing.assert_allclose(outputs["boxes"], [[1, 2, 5, 7]], atol=1e-5)


def test_box_ends_at_the_border(tmp_path):
    path = tiny_tasks.localiser(tmp_path / "x.tflite", box=(-3, 2, 12, 7))
    assert kcv.edge.load(path).predict(pixels()).box == (0, 4, 40, 14)


def test_box_is_that_of_the_upright_image(tmp_path):
    """EXIF orientation 6: stored 40 x 16, seen 16 wide and 40 high."""
    path = tiny_tasks.localiser(tmp_path / "x.tflite")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels()).save(tmp_path / "turned.jpg", exif=exif)
    found = kcv.edge.load(path).predict(tmp_path / "turned.jpg")
    np.testing.assert_allclose(found.box, (2, 10, 10, 35), atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ["a"]}, "1 labels for 4 classes"),
        ({"task": "classification"}, "a classifier has the one tensor 'probabilities'"),
        ({"task": "verification"}, "a verifier has the one tensor 'embeddings', not"),
    ],
)
def test_refuses_what_does_not_fit(tmp_path, changes, message):
    path = tiny_tasks.localiser(tmp_path / "x.tflite", **changes)
    with pytest.raises(kcv.edge.EdgeError, match=message):
        kcv.edge.load(path)


def test_a_classifier_is_no_localiser(tmp_path):
    path = tiny_tflite.write(tmp_path / "x.tflite", task="localisation")
    message = "has the tensors 'boxes' and 'probabilities', not"
    with pytest.raises(kcv.edge.EdgeError, match=message):
        kcv.edge.load(path)


def test_refuses_images_of_another_size_or_type(tmp_path):
    localiser = kcv.edge.load(tiny_tasks.localiser(tmp_path / "x.tflite"))
    with pytest.raises(kcv.edge.EdgeError, match=r"takes images of shape \(n, 8, 8, 3"):
        localiser.outputs(np.zeros((1, 9, 8, 3), "uint8"))
    with pytest.raises(kcv.edge.EdgeError, match="uint8 or float, not int64"):
        localiser.outputs(np.zeros((1, 8, 8, 3), "int64"))
    with pytest.raises(kcv.edge.EdgeError, match="not finite"):
        localiser.outputs(np.full((1, 8, 8, 3), np.nan))


def test_picture_has_the_box_and_a_bar():
    """A white image of 40 x 16, eight times as large; the box is drawn at its sides."""
    image = Image.new("RGB", (40, 16), "white")
    located = localise.Located("star", 3, 0.5, (5.0, 4.0, 25.0, 14.0))
    picture = np.asarray(draw.localisation(image, located))
    assert picture.shape == (128 + 20, 320, 3)
    dark = np.argwhere((picture[:128] != 255).any(axis=-1))
    assert dark.min(axis=0).tolist() == [32, 40]
    assert dark.max(axis=0).tolist() == [111, 199]
    nothing = located._replace(box=(7.0, 7.0, 7.0, 7.0))
    assert (np.asarray(draw.localisation(image, nothing))[:128] == 255).all()
