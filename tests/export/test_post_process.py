"""Files with the post-processing inside find what kcv.edge finds in the plain ones."""

import pathlib
import sys

import numpy as np
import pytest
import small_ssd
from ai_edge_litert.interpreter import Interpreter

EDGE = pathlib.Path(__file__).parents[1] / "edge"
sys.path.insert(0, str(EDGE))  # for the tiny model that both folders use
import tiny_tasks  # noqa: E402
import tiny_tflite  # noqa: E402

from kcv.edge import boxes, detect, detectors, model_file  # noqa: E402
from kcv.export import (  # noqa: E402
    append,
    detection_metadata,
    flatbuffer,
    metadata,
    post_process,
)

RNG = np.random.default_rng(0)
IMAGE = np.zeros((1, 8, 8, 3), "uint8")
LABELS = ["cat", "dog", "cow"]
# Four anchors of 4 x 4 pixels in an image of 8 x 8.
ANCHORS = np.float32([[0, 0, 4, 4], [4, 0, 8, 4], [0, 4, 4, 8], [4, 4, 8, 8]])
SSD = detect.Decoding("softmax", "log", ANCHORS, (8, 8), (0.1, 0.1, 0.2, 0.2))


def plain(folder, scores, offsets=0.0, how=SSD, **changes):
    """The file of a detector that answers the same for every picture."""
    shape = (len(how.anchors), 4)
    outputs = {"scores": np.float32(scores), "offsets": np.full(shape, offsets)}
    changes = {"labels": LABELS, "decoding": detect.to_json(how), **changes}
    return tiny_tasks.detector(folder / "plain.tflite", outputs, **changes)


def fused(path, **options):
    """The plain file's `FusedDetector`."""
    content = post_process.fuse_post_process(model_file.read(path), **options)
    path = path.with_name(f"fused_{path.name}")
    path.write_bytes(content)
    return detectors.detector(model_file.read(path))


def answers(detector, images=IMAGE):
    """[(class, score, y1, x1, y2, x2), ...] of each image, in an order of their own."""
    outputs = detector.outputs(images)
    parts = (outputs["classes"][..., None], outputs["scores"][..., None])
    rows = np.concatenate([*parts, outputs["boxes"]], axis=-1)
    return [
        in_order(of[: int(count)]) for of, count in zip(rows, outputs["count"].ravel())
    ]


def expected(decoding, outputs, score_threshold, iou_threshold, most):
    """The same from a plain file's outputs of one image, by kcv.edge."""
    _, scores = detect.decode(decoding, outputs)
    found = boxes.decode(outputs["offsets"], decoding.anchors, decoding.variances)
    best = boxes.detections(found, scores, iou_threshold, score_threshold, most, 10**6)
    height, width = decoding.image_size
    shares = best[0][:, [1, 0, 3, 2]] / np.float32([height, width, height, width])
    return in_order(np.column_stack([best[2], best[1], shares.clip(0, 1)]))


def in_order(rows):
    """By class, then by falling score; quantized scores can tie, so then by box."""
    rows = np.asarray(rows, "float64").reshape(-1, 6)
    keys = np.round(rows, 4)
    return rows[np.lexsort((*keys[:, :1:-1].T, -keys[:, 1], keys[:, 0]))]


@pytest.mark.slow
def test_ssd_finds_what_kcv_edge_finds(tmp_path):
    """In float and in int8, where boxes reach beyond the border and overlap."""
    images = small_ssd.pixels(8, seed=1)
    for path in small_ssd.write(tmp_path).values():
        model = detect.Detector(model_file.read(path))
        own = fused(path, max_detections=300, score_threshold=0.3, iou_threshold=0.2)
        outputs = model.outputs(images)
        for k, found in enumerate(answers(own, images)):
            one = {name: values[k] for name, values in outputs.items()}
            limits = (small_ssd.DECODING, one, 0.3)
            assert 10 < len(found) < 0.9 * len(expected(*limits, 1.0, 10**6))
            np.testing.assert_allclose(found, expected(*limits, 0.2, 300), atol=1e-5)
        # Quantized ends cost nothing: their QUANTIZE has become the DEQUANTIZE.
        before, after = (
            flatbuffer.read(x.model.flatbuffer).counts() for x in (model, own)
        )
        new = {"SOFTMAX", "GATHER", post_process.OPERATOR, "MAXIMUM", "MINIMUM"}
        assert sum(after.values()) == sum(before.values()) + len(new)


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
def test_every_answer_is_that_of_kcv_edge(tmp_path, monkeypatch, scores):
    """Boxes of every size, also beyond the border, in an image that is no square."""
    monkeypatch.setattr(tiny_tasks, "SHAPE", (8, 12, 3))
    low = RNG.uniform(-1, (11, 7), (200, 2))
    anchors = np.hstack([low, low + RNG.uniform(1, 4, (200, 2))]).astype("float32")
    how = SSD._replace(scores=scores, anchors=anchors, image_size=(8, 12))
    outputs = {
        "scores": RNG.normal(-1, 2, (200, 3 + (scores == "softmax"))),
        "offsets": RNG.normal(0, 1, (200, 4)),
    }
    path = plain(tmp_path, outputs["scores"], outputs["offsets"], how)
    image = np.zeros((1, 8, 12, 3), "uint8")
    (found,) = answers(fused(path, max_detections=1000), image)
    assert len(found) > 100
    wanted = expected(how, outputs, 0.05, 0.5, 1000)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    (few,) = answers(fused(path, max_detections=20), image)
    np.testing.assert_allclose(few, expected(how, outputs, 0.05, 0.5, 20), atol=1e-6)


def test_one_box_by_hand(tmp_path):
    """The anchor at the upper right, 0.4 right, 0.8 down, e times as wide, of a dog."""
    scores = np.full((4, 4), -9.0)
    scores[:, 0] = 9
    scores[1] = [0, 0, np.log(6), 0]
    offsets = np.zeros((4, 4))
    offsets[1] = [1, 2, 5, 0]
    (found,) = answers(fused(plain(tmp_path, scores, offsets), score_threshold=0.5))
    left = 6.4 - 2 * np.e
    box = [0.8 / 8, left / 8, 4.8 / 8, 1]  # to the border
    np.testing.assert_allclose(found, [[1, 6 / 9, *box]], atol=1e-6)


def test_a_score_of_the_threshold_does_not_count(tmp_path):
    path = plain(tmp_path, np.zeros((4, 3)), how=SSD._replace(scores="sigmoid"))
    assert len(answers(fused(path, score_threshold=0.5))[0]) == 0
    assert len(answers(fused(path, score_threshold=0.49))[0]) == 12


def test_boxes_suppress_those_of_their_class(tmp_path):
    """Four boxes, one upon the other, each with two things in it."""
    how = SSD._replace(scores="sigmoid", anchors=ANCHORS[[0, 0, 0, 0]])
    scores = [[1, -9, 2], [2, -9, 1], [0, -9, 0], [-1, -9, 0]]
    (found,) = answers(fused(plain(tmp_path, scores, how=how)))
    np.testing.assert_array_equal(found[:, 0], [0, 2])
    np.testing.assert_allclose(found[:, 1], 1 / (1 + np.exp(-2)), atol=1e-6)
    (found,) = answers(fused(plain(tmp_path, scores, how=how), iou_threshold=1.0))
    assert len(found) == 8


def test_what_the_file_says_of_itself(tmp_path):
    read = model_file.read(plain(tmp_path, np.zeros((4, 4)), labels=[]))
    content = post_process.fuse_post_process(read, score_threshold=0.25)
    assert content == post_process.fuse_post_process(read, score_threshold=0.25)
    assert metadata.read_files(content)["labels.txt"] == b"0\n1\n2\n"
    (tmp_path / "x.tflite").write_bytes(content)
    model = model_file.read(tmp_path / "x.tflite")
    assert model.manifest["hashes"]["plain"] == read.manifest["hashes"]["flatbuffer"]
    assert model.manifest["decoding"]["score_threshold"] == 0.25
    assert model.labels == ("0", "1", "2")
    assert list(model.outputs) == ["boxes", "classes", "scores", "count"]
    names = detection_metadata.OUTPUTS  # which MediaPipe looks for
    assert all(name.encode() in model.flatbuffer for name in names)
    counts = flatbuffer.read(content).counts()
    assert counts[post_process.OPERATOR] == counts["SOFTMAX"] == counts["GATHER"] == 1
    # For a reader that knows the plain files alone.
    with pytest.raises(ValueError, match="does not know; update kcv on this device"):
        detect.Detector(model)


def test_apps_that_read_outputs_by_position_find_them(tmp_path):
    """As those do that are made for files of TensorFlow's Object Detection API."""
    path = plain(tmp_path, np.zeros((4, 4)))
    content = post_process.fuse_post_process(model_file.read(path), max_detections=7)
    details = Interpreter(model_content=content).get_output_details()
    names = [post_process.OPERATOR + end for end in ("", ":1", ":2", ":3")]
    assert [detail["name"] for detail in details] == names
    shapes = [tuple(detail["shape"]) for detail in details]
    assert shapes == [(1, 7, 4), (1, 7), (1, 7), (1,)]


def test_quantized_tensors_become_float():
    """The inner int8 tensor of a classifier, to which a DEQUANTIZE is added."""
    file = flatbuffer.parse(tiny_tflite.flatbuffer(io_dtype="uint8"))
    names = [tensor.name for tensor in file.subgraphs[0].tensors]
    end = append.Appender(file)
    for name, values in ((b"scores", 4), (b"probabilities", 4)):
        index = names.index(name)
        found = end.as_float(index)
        assert end.as_float(found) == found
        file.subgraphs[0].outputs = np.array([found], np.int32)
        file.signatureDefs[0].outputs[0].tensorIndex = found
        interpreter = Interpreter(model_content=flatbuffer.pack(file))
        run = interpreter.get_signature_runner("serving_default")
        image = RNG.integers(0, 256, (1, 8, 8, 3)).astype("uint8")
        (answer,) = run(images=image).values()
        reference = tiny_tflite.reference(image / 127.5 - 1)
        assert answer.dtype == np.float32
        assert answer.shape == (1, values)
        np.testing.assert_allclose(answer, reference, atol=0.06)
    assert flatbuffer.read(file).counts()["DEQUANTIZE"] == 2


YOLO = SSD._replace(scores="objectness", offsets="sigmoid", stride=4)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"task": "classification"}, {}, "task 'classification' finds no boxes"),
        ({"how": YOLO}, {}, "with log offsets, not objectness with sigmoid; kcv.edge"),
        ({"how": SSD._replace(offsets="roots")}, {}, "not softmax with roots"),
        ({"decoding": {}}, {}, "does not say how to decode boxes"),
        ({"decoding": detect.to_json(SSD._replace(anchors=ANCHORS[1:]))}, {},
         "has 3 anchors for 4 offsets; export it again"),
        ({"labels": ["cat"]}, {}, "has 1 labels for 3 classes; export it again"),
        ({}, {"max_detections": 0}, "max_detections must be an integer of 1 or more"),
        ({}, {"score_threshold": 1.0}, "score_threshold .* below 1, not 1.0"),
        ({}, {"score_threshold": float("nan")}, "below 1, not nan"),
        ({}, {"iou_threshold": 0}, "iou_threshold must be above 0 and at most 1"),
    ],
)  # fmt: skip
def test_models_and_options_that_do_not_fit(tmp_path, changes, options, message):
    path = plain(tmp_path, np.zeros((4, 4)), **changes)
    with pytest.raises(ValueError, match=message) as error:
        fused(path, **options)
    assert "\n" not in str(error.value)


def test_files_that_mediapipe_or_nobody_needs(tmp_path):
    model = model_file.read(plain(tmp_path, np.zeros((4, 4))))
    images = {"images": {"shape": [1, 8, 8, 3], "dtype": "int8"}}
    with pytest.raises(ValueError, match="images are int8, .* with io='uint8'"):
        post_process.fuse_post_process(model._replace(inputs=images))
    with pytest.raises(ValueError, match="images are missing"):
        post_process.fuse_post_process(model._replace(inputs={}))
    with pytest.raises(ValueError, match="is fused already; give the plain file"):
        post_process.fuse_post_process(fused(pathlib.Path(model.path)).model)
