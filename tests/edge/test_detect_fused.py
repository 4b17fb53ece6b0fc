import json

import numpy as np
import pytest
import tiny_tasks
import tiny_tflite

from kcv.edge import EdgeError, detect, detect_fused, detectors, model_file

RNG = np.random.default_rng(0)
# Four anchors of 4 x 4 pixels in an image of 8 x 8.
ANCHORS = np.float32([[0, 0, 4, 4], [4, 0, 8, 4], [0, 4, 4, 8], [4, 4, 8, 8]])
SSD = detect.Decoding("softmax", "log", ANCHORS, (8, 8), (0.1, 0.1, 0.2, 0.2))
IMAGE = RNG.integers(0, 256, (16, 40, 3)).astype("uint8")


def plain(folder):
    """Of a dog at the upper right (p = 0.95), a cat at the lower left (0.99)."""
    scores = np.zeros((4, 3), "float32")
    scores[:, 0] = 8
    scores[1], scores[2] = [0, 0, np.log(38)], [0, np.log(198), 0]
    outputs = {"scores": scores, "offsets": np.zeros((4, 4), "float32")}
    changes = {"labels": ["cat", "dog"], "decoding": detect.to_json(SSD)}
    return tiny_tasks.detector(folder / "plain.tflite", outputs, **changes)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The plain file and the fused one, as model_file reads them."""
    from kcv.export.post_process import fuse_post_process

    folder = tmp_path_factory.mktemp("fused")
    read = model_file.read(plain(folder))
    path = folder / "fused.tflite"
    path.write_bytes(fuse_post_process(read, max_detections=5))
    return read, model_file.read(path)


def test_everything_is_found_as_in_the_plain_file(files):
    """40 wide and 16 high from 8 x 8: x times 5, y times 2."""
    both = [detectors.detector(file) for file in files]
    kinds = [type(detector) for detector in both]
    assert kinds == [detect.Detector, detect_fused.FusedDetector]
    own, other = (detector.predict(IMAGE) for detector in both)
    assert [thing.label for thing in own] == ["cat", "dog"]
    np.testing.assert_allclose([x.box for x in own], [(0, 8, 20, 16), (20, 0, 40, 8)])
    for mine, theirs in zip(own, other, strict=True):
        assert mine[:2] == theirs[:2]
        assert mine.score == pytest.approx(theirs.score, abs=1e-6)
        assert mine.box == pytest.approx(theirs.box, abs=1e-5)


def test_thresholds_and_limits(files):
    detector = detect_fused.FusedDetector(files[1])
    assert detector.image_shape == (8, 8, 3)
    assert [x.label for x in detector.predict(IMAGE, score_threshold=0.97)] == ["cat"]
    assert [x.label for x in detector.predict(IMAGE, most=1)] == ["cat"]
    assert detector.predict(IMAGE, score_threshold=0.999) == []
    assert len(detector.predict(IMAGE, score_threshold=-1)) == 2  # empty slots have 0
    assert [len(x) for x in detector.predict_batch([IMAGE] * 2, most=1)] == [1, 1]
    outputs = detector.outputs(np.zeros((3, 8, 8, 3), "uint8"))
    assert outputs["boxes"].shape == (3, 5, 4)
    assert outputs["count"].tolist() == [2, 2, 2]


def test_boxes_end_at_the_border(tmp_path):
    from kcv.export.post_process import fuse_post_process

    outputs = {"scores": np.float32([[0, 9]]), "offsets": np.float32([[0, 0, 9, 9]])}
    how = SSD._replace(anchors=ANCHORS[:1])
    changes = {"labels": ["cat"], "decoding": detect.to_json(how)}
    path = tiny_tasks.detector(tmp_path / "x.tflite", outputs, **changes)
    path.write_bytes(fuse_post_process(model_file.read(path)))
    (thing,) = detectors.detector(model_file.read(path)).predict(IMAGE)
    assert thing.box == (0, 0, 40, 16)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x["signature"]["outputs"].pop("count"), "a fused detector has the"),
        (lambda x: x.update(labels=[]), "kcv.json names no classes; fuse it again"),
    ],
)
def test_files_that_are_not_what_they_say(files, tmp_path, change, message):
    manifest = json.loads(json.dumps(files[1].manifest))
    change(manifest)
    (tmp_path / "x.tflite").write_bytes(tiny_tflite.pack(files[1].flatbuffer, manifest))
    with pytest.raises(EdgeError, match=message):
        detectors.detector(model_file.read(tmp_path / "x.tflite"))


@pytest.mark.parametrize("decoding", [None, [], {}, {"scores": []}])
def test_decoding_of_no_use_is_left_to_the_detector(tmp_path, decoding):
    path = plain(tmp_path)
    model = model_file.read(path)
    model = model._replace(manifest=model.manifest | {"decoding": decoding})
    assert not detect_fused.is_fused(model)
    with pytest.raises(EdgeError, match="does not say how to decode boxes"):
        detectors.detector(model)
