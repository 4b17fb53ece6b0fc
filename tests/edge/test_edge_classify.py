import threading

import numpy as np
import pytest
import tiny_tflite
from PIL import Image

import kcv.edge
from kcv.edge.classify import Prediction

PIXELS = np.random.default_rng(3).integers(0, 256, (20, 8, 8, 3)).astype("uint8")
EXPECTED = tiny_tflite.reference(PIXELS / 127.5 - 1)
TOLERANCE = {"float32": 1e-5, "uint8": 0.06, "int8": 0.06}  # logits in steps of 0.15


@pytest.mark.parametrize("xnnpack", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
def test_probabilities_equal_numpy(tiny, dtype, xnnpack):
    classifier = kcv.edge.load(tiny[dtype], xnnpack=xnnpack)
    found = classifier.probabilities(PIXELS)
    assert found.shape == (20, 4)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, EXPECTED, atol=TOLERANCE[dtype])
    assert len(np.unique(found)) > 20  # no constant answer


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
def test_normalised_images_give_the_same_as_pixels(tiny, dtype):
    classifier = kcv.edge.load(tiny[dtype])
    normalised = (PIXELS.astype("float32") - 127.5) / 127.5
    # A pixel lies half a level from the file's zero point, so levels differ by one.
    np.testing.assert_allclose(
        classifier.probabilities(normalised),
        classifier.probabilities(PIXELS),
        atol=TOLERANCE[dtype],
    )


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_do_not_change_the_answer(tiny, threads):
    found = kcv.edge.load(tiny["uint8"], threads=threads).probabilities(PIXELS)
    one = kcv.edge.load(tiny["uint8"]).probabilities(PIXELS)
    np.testing.assert_array_equal(found, one)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", None, True])
def test_wrong_threads(tiny, threads):
    with pytest.raises(kcv.edge.EdgeError, match=f"not {threads!r}"):
        kcv.edge.load(tiny["uint8"], threads=threads)


def test_predictions_are_named_and_sorted(tiny):
    classifier = kcv.edge.load(tiny["float32"])
    for pixels, expected in zip(PIXELS, EXPECTED):
        predictions = classifier.predict(pixels)
        order = np.argsort(-expected)
        assert [p.index for p in predictions] == order.tolist()
        assert [p.label for p in predictions] == [f"class {k}" for k in order]
        scores = [p.score for p in predictions]
        np.testing.assert_allclose(scores, expected[order], rtol=1e-5)
        assert isinstance(predictions[0], Prediction)
        assert type(predictions[0].score) is float


def test_top_k(tiny):
    classifier = kcv.edge.load(tiny["float32"])
    assert len(classifier.predict(PIXELS[0], top_k=2)) == 2
    assert len(classifier.predict(PIXELS[0], top_k=100)) == 4
    for wrong in (0, -1, 1.0, "3"):
        with pytest.raises(kcv.edge.EdgeError, match="top_k"):
            classifier.predict(PIXELS[0], top_k=wrong)


def test_path_pil_and_array_are_one(tiny, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS[0]).save(path)
    classifier = kcv.edge.load(tiny["uint8"])
    answers = [
        classifier.predict(image)
        for image in (path, str(path), PIXELS[0], Image.fromarray(PIXELS[0]))
    ]
    assert answers == [answers[0]] * 4


def test_images_of_other_sizes_are_resized(tiny):
    classifier = kcv.edge.load(tiny["float32"])
    large = PIXELS[0].repeat(16, 0).repeat(16, 1)  # each pixel a block of 16 x 16
    found = {p.index: p.score for p in classifier.predict(large)}
    small = {p.index: p.score for p in classifier.predict(PIXELS[0])}
    assert found.keys() == small.keys()
    assert found != small  # the filter reaches over the blocks' edges


def test_predict_batch_answers_each(tiny):
    classifier = kcv.edge.load(tiny["uint8"])
    images = [PIXELS[0], Image.fromarray(PIXELS[1])]
    assert classifier.predict_batch(images, top_k=1) == [
        classifier.predict(image, top_k=1) for image in images
    ]
    assert classifier.predict_batch([]) == []


def test_grey_model(tmp_path):
    shape = (6, 10, 1)
    path = tiny_tflite.write(tmp_path / "grey.tflite", "float32", shape, 3)
    classifier = kcv.edge.load(path)
    assert classifier.image_shape == shape
    color = PIXELS[0, :6]
    color = np.concatenate([color, color[:, :2]], 1)  # (6, 10, 3)
    grey = np.asarray(Image.fromarray(color).convert("L"))
    expected = tiny_tflite.reference(grey[None] / 127.5 - 1, shape, 3)[0]
    for image in (color, grey, grey[..., None]):
        scores = {p.index: p.score for p in classifier.predict(image)}
        np.testing.assert_allclose([scores[k] for k in range(3)], expected, rtol=1e-4)


def test_without_labels_the_index_is_the_label(tmp_path):
    path = tiny_tflite.write(tmp_path / "a.tflite", labels=[])
    best = kcv.edge.load(path).predict(PIXELS[0], top_k=1)[0]
    assert best.label == str(best.index)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (PIXELS[0], r"\(n, 8, 8, 3\), not \(8, 8, 3\)"),
        (PIXELS[:, :7], r"not \(20, 7, 8, 3\)"),
        (PIXELS[..., :1], r"not \(20, 8, 8, 1\)"),
        (PIXELS.astype("int32"), "uint8 or float, not int32"),
        (np.full((1, 8, 8, 3), np.nan), "not finite"),
        (np.full((1, 8, 8, 3), np.inf, "float32"), "not finite"),
    ],
)
def test_wrong_batches(tiny, images, message):
    with pytest.raises(kcv.edge.EdgeError, match=message):
        kcv.edge.load(tiny["uint8"]).probabilities(images)


def test_an_empty_batch_has_no_answers(tiny):
    assert kcv.edge.load(tiny["uint8"]).probabilities(PIXELS[:0]).shape == (0, 4)


def test_several_threads_may_share_a_classifier(tiny):
    classifier = kcv.edge.load(tiny["float32"])
    expected = classifier.probabilities(PIXELS)
    wrong = []

    def work():
        for _ in range(50):
            if not np.array_equal(classifier.probabilities(PIXELS), expected):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("libnothing_of_the_sort.so.1", "cannot be loaded .*No such file"),
        ("libm.so.6", "not a TFLite delegate"),
    ],
)
def test_missing_delegates(tiny, path, message, capfd):
    with pytest.raises(kcv.edge.EdgeError, match=message):
        kcv.edge.load(tiny["uint8"], delegates=(path,))
    assert "Traceback" not in capfd.readouterr().err
    with pytest.raises(kcv.edge.EdgeError, match="must be a list"):
        kcv.edge.load(tiny["uint8"], delegates=path)
