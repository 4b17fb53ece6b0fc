"""Detectors of two stages as files of several networks."""

import pathlib
import sys
import zipfile

import keras
import numpy as np
import pytest
import toy_rectangles as toy
from ai_edge_litert.interpreter import Interpreter

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "models"))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "edge"))
import test_two_stage_life as life  # noqa: E402
import tiny_stages  # noqa: E402
from residual_checks import pictures, shapes_only  # noqa: E402

import kcv.edge  # noqa: E402
from kcv.edge import detect_staged, detected, model_file  # noqa: E402
from kcv.export import (  # noqa: E402
    ExportError,
    convert_stages,
    post_process,
    regions,
)
from kcv.export import stages as staged  # noqa: E402
from kcv.models.detection.mask_rcnn import mask_rcnn  # noqa: E402

IMAGES, TRUTH = toy.pictures(48, seed=99)
CALIBRATION, _ = toy.pictures(48, seed=7)
OPTIONS = {
    "body": "darknet19", "alpha": 0.125, "proposals": 16, "sides": (12, 16, 26),
    "filters": 16, "units": 32, "canonical_size": 40, "mask_filters": 16,
    "convolutions": 1,
}  # fmt: skip
PARTS = {
    "proposals": ["P2", "P3", "P4", "proposal_scores", "proposal_offsets"],
    "roi_head": ["scores", "offsets"],
    "mask_head": ["masks"],
}


def ap50(predict):
    return toy.average_precision(predict(IMAGES), TRUTH)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Mask R-CNN that has learned rectangles, its int8 file's report and parts."""
    keras.utils.set_random_seed(0)
    model = mask_rcnn((64, 64, 3), 2, **OPTIONS)
    toy.train(model, 150)
    proven, prove = {}, staged.prove

    def remember(model, *arguments, **options):
        proven[model.name] = prove(model, *arguments, **options)
        return proven[model.name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staged, "prove", remember)
        report = convert_stages(
            model,
            tmp_path_factory.mktemp("learned") / "int8.tflite",
            calibration=CALIBRATION,
            evaluate=ap50,
            budget=0.05,
            labels=toy.LABELS,
            instances=3,
        )
    return model, report, proven


@pytest.mark.slow
def test_int8_in_parts_finds_what_keras_finds(learned):
    """The parts hold integers alone, and the whole keeps its average precision."""
    _, report, _ = learned
    assert report.metric_keras > 0.5 and report.drop <= 0.05
    detector = kcv.edge.load(report.path)
    assert isinstance(detector, detect_staged.StagedDetector)
    pixels = np.round((IMAGES + 1) * 127.5).astype("uint8")
    found = toy.average_precision(detector.outputs(pixels), TRUTH)
    assert found == pytest.approx(report.metric_file, abs=0.06)
    assert report.bytes == report.path.stat().st_size
    assert set(report.parity) == {f"{k}: {x}" for k, of in PARTS.items() for x in of}
    assert {"CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"} <= set(report.operators)
    assert "BATCH_MATMUL" not in report.operators and report.ranges


@pytest.mark.slow
def test_masks_of_an_int8_file_lie_on_their_rectangles(learned):
    """They are made for what is left after suppression, three boxes a call."""
    detector, shares = kcv.edge.load(learned[1].path), []
    for image, masks in zip(IMAGES, TRUTH["masks"]):
        pixels = np.round((image + 1) * 127.5).astype("uint8")
        for thing in detector.predict(pixels, score_threshold=0.4):
            assert isinstance(thing, detected.Segmented)
            both = (masks & thing.mask).sum(axis=(1, 2))
            shares.append((both / (masks | thing.mask).sum(axis=(1, 2))).max())
    assert len(shares) > 25 and np.median(shares) > 0.65


@pytest.mark.slow
def test_unzip_gives_the_parts(learned):
    with zipfile.ZipFile(learned[1].path) as archive:
        parts = ["roi_head.tflite", "mask_head.tflite"]
        assert archive.namelist() == [*parts, "labels.txt", "kcv.json"]
        content = archive.read("roi_head.tflite")
    runner = Interpreter(model_content=content).get_signature_runner()
    (given,) = runner.get_input_details().values()
    assert tuple(given["shape"]) == (1, 16, 7, 7, 16)
    assert given["dtype"] == np.int8 and given["quantization"][0] > 0
    answer = runner(regions=np.zeros(given["shape"], "int8"))
    assert answer["scores"].shape == (1, 16, 3)
    assert answer["offsets"].shape == (1, 16, 2, 4)


@pytest.mark.slow
def test_a_loss_beyond_the_budget_is_refused(learned, tmp_path, monkeypatch):
    model, _, proven = learned
    monkeypatch.setattr(staged, "prove", lambda model, *_, **__: proven[model.name])
    monkeypatch.setattr(regions, "BYTES", 0)
    scores = iter([0.9, 0.5])
    with pytest.raises(ExportError, match="ap50 goes from 0.9000 in Keras to 0.5000"):
        convert_stages(
            *(model, tmp_path / "x.tflite"),
            calibration=CALIBRATION[:4],
            evaluate=lambda predict: next(scores),
            instances=3,
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_part_that_deviates_is_named(learned, tmp_path, monkeypatch):
    model, _, proven = learned
    prove = staged.prove

    def first_known(model, *arguments, **options):
        if model.name in proven and "roi_head" not in model.name:
            return proven[model.name]
        return prove(model, *arguments, **options)

    monkeypatch.setattr(staged, "prove", first_known)
    with pytest.raises(ExportError, match="part 'roi_head': output '.*' deviates from"):
        convert_stages(
            *(model, tmp_path / "x.tflite"), calibration=CALIBRATION[:8], bound=1e-6
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("faster_rcnn", ["roi_head.tflite"]),
        ("r_fcn", []),
        ("keypoint_rcnn", ["roi_head.tflite", "keypoint_head.tflite"]),
    ],
)
def test_float_parts_answer_as_the_model(name, parts, tmp_path):
    """Random weights; what is between the parts is all NumPy."""
    model, images = life.randomized(name), pictures(4, life.SIZE)
    path = tmp_path / "x.tflite"
    report = convert_stages(
        model, path, quantize=None, probes=images, boxes=5, instances=4
    )
    assert list(model_file.read(path).parts) == parts
    found = kcv.edge.load(path).outputs(images)
    expected = {key: np.asarray(x) for key, x in model(images).items()}
    assert found.keys() == expected.keys() - {"proposal_scores", "proposal_offsets"}
    for key in ("proposals", "scores", "offsets", *found.keys() & {"mask_boxes"}):
        np.testing.assert_allclose(found[key], expected[key], atol=2e-3)
    for key in found.keys() & {"masks", "keypoints"}:
        made = found[key].any(axis=(2, 3, 4))
        assert made.sum() >= 4
        wanted = expected[key][made]
        bound = 1e-3 * np.abs(wanted).max()
        np.testing.assert_allclose(found[key][made], wanted, atol=bound)
    assert report.quantization == "float32" and not report.ranges


def test_refused(tmp_path):
    with shapes_only():
        outside, model = life.built("fast_rcnn"), life.built("faster_rcnn")
    path, images = tmp_path / "x.tflite", pictures(2, life.SIZE)
    with pytest.raises(ValueError, match="fast_rcnn gets its proposals from outside"):
        convert_stages(outside, path, calibration=images)
    with pytest.raises(ValueError, match="int8 needs `calibration`"):
        convert_stages(model, path, probes=images)
    with pytest.raises(ValueError, match="no real images to compare on"):
        convert_stages(model, path, quantize=None)
    with pytest.raises(ValueError, match="a head takes 1 box or more, not 0"):
        convert_stages(model, path, calibration=images, instances=0)
    images = keras.Input((8, 8, 3), name="images")
    plain = keras.Model(images, {"scores": images, "offsets": images}, name="net")
    with pytest.raises(ValueError, match="net has no layer 'roi_head': give a detect"):
        convert_stages(plain, path, calibration=np.zeros((2, 8, 8, 3)))


def test_regions_that_no_device_makes():
    boxes = keras.Input((None, 4), name="proposals")
    features = keras.Input((4, 4, 2), name="C4")
    made = keras.layers.Flatten(name="regions")(features)
    head = keras.Model({"C4": features, "proposals": boxes}, made, name="roi_head")
    with pytest.raises(ValueError, match="roi_head makes regions by Flatten, which kc"):
        regions._regions_of(head, "proposals", 3)


def test_suppression_does_not_go_into_a_file_in_parts(tmp_path):
    model = model_file.read(tiny_stages.write(tmp_path / "x.tflite"))
    with pytest.raises(ExportError, match="not softmax with regions; kcv.edge reads"):
        post_process.fuse_post_process(model)
