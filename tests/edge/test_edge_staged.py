"""Detectors in parts: what the parts answer, put together, and files that are not."""

import numpy as np
import pytest
import tiny_stages
from tiny_stages import CLASSES, KERNELS, PROPOSALS, SHAPES

import kcv.edge
from kcv.edge import (
    EdgeError,
    benchmark,
    boxes,
    detect,
    detect_staged,
    detected,
    instances,
    model_file,
    regions,
    stages,
)

PIXELS = np.zeros((1, 8, 8, 3), "uint8")


def expected(name, places):
    """What a head says of boxes, by a matrix product."""
    values = regions.roi_align(tiny_stages.MAP, places, 2, 2, 1)
    values = values.reshape(len(places), -1) @ np.float32(KERNELS[name])
    return values.reshape(len(places), *SHAPES[name])


def test_the_parts_answer_as_their_products(tmp_path):
    """Three proposals, of which the head takes two a call."""
    detector = kcv.edge.load(tiny_stages.write(tmp_path / "x.tflite"))
    assert isinstance(detector, detect_staged.StagedDetector)
    assert (detector.classes, detector.labels) == (CLASSES, ("cat", "dog"))
    found = detector.outputs(np.repeat(PIXELS, 2, axis=0))
    assert sorted(found) == ["offsets", "proposals", "scores"]
    for k in range(2):
        np.testing.assert_allclose(found["proposals"][k], PROPOSALS, atol=1e-5)
        for name in ("scores", "offsets"):
            wanted = expected(name, PROPOSALS)
            np.testing.assert_allclose(found[name][k], wanted, atol=1e-4)


def test_everything_is_found_in_pixels_of_the_given_image(tmp_path):
    detector = kcv.edge.load(tiny_stages.write(tmp_path / "x.tflite"))
    outputs = {name: x[0] for name, x in detector.outputs(PIXELS).items()}
    best = boxes.detections(*detect.decode(detector.decoding, outputs), 0.5, 0.3)
    found = detector.predict(np.zeros((16, 40, 3), "uint8"), score_threshold=0.3)
    assert len(found) == len(best[0]) > 1
    for thing, box, score, kind in zip(found, *best):
        assert isinstance(thing, detected.Detected)
        assert thing.label == ("cat", "dog")[kind]
        assert thing.score == pytest.approx(score, abs=1e-6)
        np.testing.assert_allclose(thing.box, box * [5, 2, 5, 2], atol=1e-3)
    (first,) = detector.predict_batch([PIXELS[0]], most=1, score_threshold=0.3)
    assert len(first) == 1


@pytest.mark.parametrize("head", ["mask_head", "keypoint_head"])
def test_instances_are_made_of_what_is_left(tmp_path, head):
    """A proposal that no detection is of has no mask; the others at their boxes."""
    detector = kcv.edge.load(tiny_stages.write(tmp_path / "x.tflite", [head]))
    outputs = {name: x[0] for name, x in detector.outputs(PIXELS).items()}
    decoded, scores = detect.decode(detector.decoding, outputs)
    places = decoded[np.arange(3), scores.argmax(axis=1)]
    np.testing.assert_allclose(outputs["mask_boxes"], places, atol=1e-5)
    (name,) = tiny_stages.OUTPUTS[head]
    kept, _ = boxes.choose(decoded, scores, 0.5, 0.01, 100)
    wanted = expected(name, places)
    left_out = np.setdiff1d(np.arange(3), kept)
    wanted[left_out] = 0
    np.testing.assert_allclose(outputs[name], wanted, atol=1e-4)

    things = detector.predict(np.zeros((16, 24, 3), "uint8"), score_threshold=0.3)
    chosen = boxes.choose(decoded, scores, 0.5, 0.3)
    assert len(things) == len(chosen[0]) > 0
    for thing, place, kind in zip(things, *chosen):
        region = places[place] * [3, 2, 3, 2]
        if head == "mask_head":
            assert isinstance(thing, detected.Segmented)
            mask = instances.paste(wanted[place, ..., kind], region, (16, 24))
            np.testing.assert_array_equal(thing.mask, mask)
        else:
            assert isinstance(thing, detected.Posed)
            points = instances.keypoints(wanted[place], region)
            np.testing.assert_allclose(thing.keypoints, points, atol=1e-3)


def test_a_graph_of_all_stages_gives_masks_too(tmp_path):
    """The same answers as outputs of one file."""
    import tiny_tasks

    parts = kcv.edge.load(tiny_stages.write(tmp_path / "parts.tflite", ["mask_head"]))
    outputs = {name: x[0] for name, x in parts.outputs(PIXELS).items()}
    said = detect.to_json(parts.decoding)
    path = tiny_tasks.detector(tmp_path / "x.tflite", outputs, said, ["cat", "dog"])
    whole = kcv.edge.load(path)
    assert isinstance(whole, detect.Detector)
    image = np.zeros((16, 24, 3), "uint8")
    pairs = zip(whole.predict(image, 0.3), parts.predict(image, 0.3), strict=True)
    for one, other in pairs:
        assert one[:2] == other[:2]
        np.testing.assert_array_equal(one.mask, other.mask)


def test_the_stages_are_read_as_they_were_written(tmp_path):
    path = tiny_stages.write(tmp_path / "x.tflite", ["mask_head"])
    model = model_file.read(path)
    found = stages.read_stages(model, (8, 8))
    wanted = tiny_stages.between(["mask_head"])
    for ours, theirs in zip(found.anchors, wanted.anchors, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert found[1:] == wanted[1:]
    assert sorted(model.parts) == ["mask_head.tflite", "roi_head.tflite"]


@pytest.mark.slow
def test_the_time_of_parts_is_that_of_an_answer(tmp_path):
    path = tiny_stages.write(tmp_path / "x.tflite", ["mask_head"])
    image = np.zeros((1, 8, 8, 3), "float32")
    found = benchmark.measure(path, runs=3, image=image, per_operator=True)
    assert found.operators == {"FULLY_CONNECTED": 6, "RESHAPE": 8}
    assert len(found.per_operator) == 14 and found.latency[0].p50 > 0
    assert benchmark.measure(path, runs=2).latency[0].runs == 2


def _stages(**changes):
    def change(manifest):
        manifest["decoding"]["stages"] |= changes

    return {"change": change}


def _head(**changes):
    def change(manifest):
        manifest["decoding"]["stages"]["heads"]["roi_head"] |= changes

    return {"change": change}


def _part(**changes):
    def change(manifest):
        manifest["parts"]["roi_head.tflite"] |= changes

    return {"change": change}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"damage": ["roi_head.tflite"]}, "bytes of its part roi_head.tflite do not"),
        ({"left_out": ["roi_head.tflite"]}, "part roi_head.tflite is missing or dama"),
        ({"change": lambda said: said.update(parts={})}, "has no part roi_head.tfl"),
        ({"change": lambda said: said.update(parts=3)}, "has no usable 'parts': 3"),
        (_part(sha256=None), "has no usable 'parts': "),
        (_part(signature={}), "has no usable 'parts': "),
        (_stages(anchors="!"), "does not say what lies between its parts .Error"),
        (_stages(levels=[4]), "levels of .4. anchors are not 5"),
        (_stages(heads=[]), "does not say what lies between its parts .AttributeErr"),
        (_stages(heads={}), "joins its parts in a way that this kcv does not know"),
        (_stages(proposals=0), "joins its parts in a way that this kcv does not know"),
        (_head(kind="warp"), "joins its parts in a way that this kcv does not know"),
        (_head(maps=["C4", "C5"]), "what lies between its parts .ValueError: zip"),
        (_head(boxes=3), "the part roi_head.tflite takes 2 boxes a call, kcv.json say"),
        (_head(maps=["C5"]), "a proposal stage has the tensors 'C5'"),
        (
            _stages(levels=[4], anchors=stages.to_json(
                tiny_stages.between()._replace(anchors=[tiny_stages.ANCHORS[:4]])
            )["anchors"]),
            "kcv.json has 4 anchors for 5 scores",
        ),
        (
            {"change": lambda said: said.update(labels=["cat"])},
            "has 1 labels for 2 classes",
        ),
    ],
)  # fmt: skip
def test_files_whose_parts_do_not_fit(tmp_path, options, message):
    with pytest.raises(EdgeError, match=message) as error:
        kcv.edge.load(tiny_stages.write(tmp_path / "x.tflite", **options))
    assert "\n" not in str(error.value)


def test_wrong_arguments(tmp_path):
    detector = kcv.edge.load(tiny_stages.write(tmp_path / "x.tflite"))
    with pytest.raises(EdgeError, match="there are no images"):
        detector.outputs(PIXELS[:0])
    with pytest.raises(EdgeError, match="takes images of shape .n, 8, 8, 3., not"):
        detector.outputs(PIXELS[:, :4])
    head = detector._staged.heads["roi_head"]
    with pytest.raises(EdgeError, match="regions are .n, 2, 2, 3., not .1, 3, 3, 3."):
        head.run(np.zeros((1, 3, 3, 3), "float32"))
