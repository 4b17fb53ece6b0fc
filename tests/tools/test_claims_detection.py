"""The claims about detectors: verdicts on made-up numbers, and runs of few steps."""

import numpy as np
import pytest
import tensorflow as tf

from kcv.boxes.iou import pairwise_iou
from kcv.tools import claim_results, claims
from kcv.tools.claims import (
    anchors_by_k_means,
    detection_runs,
    hard_negative_mining,
    multi_task_training,
    rcnn_times,
    roi_align_against_pool,
    small_detectors,
    ssd_against_faster_rcnn,
)
from kcv.train import detector

NAMES = (
    "rcnn_times",
    "multi_task_training",
    "roi_align_against_pool",
    "ssd_against_faster_rcnn",
    "hard_negative_mining",
    "anchors_by_k_means",
)
FEW = {"train": 8, "test": 2}  # scenes


@pytest.fixture
def small_steps(monkeypatch):
    """Few images and no graphs: what is run twice takes longer to trace."""
    monkeypatch.setattr(detection_runs, "BATCH_SIZE", 4)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_they_are_registered_with_a_sentence_and_rows():
    assert set(NAMES) <= set(claims.NAMES)
    for name in NAMES:
        sentence, ids = claims.statement(name)
        assert sentence.endswith(".") and ids


TIMES = {
    **{"selective_search_seconds": 2.0, "rcnn_seconds": 50.0},
    **{"fast_rcnn_seconds": 2.0, "faster_rcnn_seconds": 0.2},
    **{"fast_rcnn_times": 25.0, "fast_rcnn_times_without_proposals": 150.0},
    **{"faster_rcnn_times": 250.0, "faster_rcnn_times_without_proposals": 240.0},
}
TOGETHER = {
    **{"class_alone": 0.522, "together_unmoved": 0.533},
    **{"in_stages": 0.546, "together": 0.571},
}
ALIGN = {
    **{"align_ap50": 0.6, "align_ap75": 0.3},
    **{"pool_ap50": 0.5, "pool_ap75": 0.2},
}
BOTH = {
    **{"ssd_image_ms": 10.0, "ssd_ap": 0.2, "ssd_ap50": 0.4, "ssd_steps": 400.0},
    **{"faster_rcnn_image_ms": 20.0, "faster_rcnn_ap": 0.3},
    **{"faster_rcnn_ap50": 0.6, "faster_rcnn_steps": 300.0},
}
MINED = {"mined_half": 0.3, "mined_end": 0.6, "all_half": 0.2, "all_end": 0.5}
CLUSTERS = {
    **{"five_iou": 0.61, "nine_iou": 0.67, "hand_iou": 0.609},
    **{"five_ap50": 0.2, "nine_ap50": 0.5, "hand_ap50": 0.3},
}


@pytest.mark.parametrize(
    ("claim", "run", "refuting"),
    [
        (rcnn_times, TIMES, {"rcnn_seconds": 9.0}),
        (rcnn_times, TIMES, {"faster_rcnn_seconds": 0.41}),
        (multi_task_training, TOGETHER, {"class_alone": 0.533}),
        (multi_task_training, TOGETHER, {"in_stages": 0.58}),
        (roi_align_against_pool, ALIGN, {"pool_ap75": 0.31}),  # above all of RoIAlign
        (roi_align_against_pool, ALIGN, {"pool_ap50": 0.1}),  # AP50 rises more
        (ssd_against_faster_rcnn, BOTH, {"ssd_image_ms": 21.0}),
        (ssd_against_faster_rcnn, BOTH, {"ssd_ap": 0.3}),
        (hard_negative_mining, MINED, {"all_half": 0.31}),
        (hard_negative_mining, MINED, {"all_end": 0.61}),
        (anchors_by_k_means, CLUSTERS, {"five_iou": 0.608}),
        (anchors_by_k_means, CLUSTERS, {"nine_iou": 0.609}),
        (anchors_by_k_means, CLUSTERS, {"hand_ap50": 0.51}),
    ],
)
def test_one_seed_can_refute_a_claim_about_detectors(claim, run, refuting):
    holds, finding = claim.verdict([run, run, run])
    assert holds and finding.endswith(".") and "\n" not in finding
    holds, finding = claim.verdict([run, {**run, **refuting}, run])
    assert not holds and finding.endswith(".")


def test_findings_have_the_numbers():
    finding = rcnn_times.verdict([TIMES, {**TIMES, "rcnn_seconds": 60.0}])[1]
    assert finding.startswith("An image takes R-CNN 55 (50 to 60) s, Fast R-CNN 2 s,")
    assert "1, 150 and 240 times" in finding
    finding = hard_negative_mining.verdict([MINED, {**MINED, "mined_half": 0.4}])[1]
    assert finding.startswith("Half way AP50 35.0% (30.0% to 40.0%) with the hardest")


def test_precisions_of_0_do_not_hinder_a_verdict():
    nothing = dict.fromkeys(ALIGN, 0.0)
    assert not roi_align_against_pool.verdict([nothing])[0]
    assert roi_align_against_pool.verdict([{**ALIGN, "pool_ap75": 0.0}])[0]


def test_scenes_are_the_first_of_more_and_padded():
    few, more = (detection_runs.scenes("train", count) for count in (3, 16))
    for key, values in few.items():
        assert np.array_equal(values, more[key][:3])
    empty = more["classes"] < 0
    assert 0 < empty.sum() < empty.size
    assert set(np.unique(more["classes"])) == {-1, 0, 1, 2}
    assert not more["boxes"][empty].any()
    sides = more["boxes"][~empty][:, 2:] - more["boxes"][~empty][:, :2]
    assert sides.min() > 8 and more["boxes"].max() <= 64
    other = detection_runs.scenes("test", 3)
    assert not np.array_equal(other["images"], few["images"])


def test_batches_are_in_the_range_of_the_models():
    scenes = {"images": np.uint8([[[[0, 255, 51]]]]), "classes": np.int32([[2]])}
    batch = detection_runs.batch_of(scenes, [0])
    assert np.allclose(batch["images"], [[[[-1, 1, -0.6]]]])
    assert batch["classes"].tolist() == [[2]]


def test_rate_rises_over_a_tenth_and_falls_to_a_fiftieth():
    shares = [detection_runs._share(done) for done in (0, 0.05, 0.1, 0.55, 1)]
    assert np.allclose(shares, [1 / 6, 7 / 12, 1, 0.51, 0.02])


def test_least_time_leaves_out_the_first_call():
    waits = iter([0, 0.03, 0.01, 0.02])

    def call():
        begin = detection_runs.time.perf_counter()
        wait = next(waits)
        while detection_runs.time.perf_counter() < begin + wait:
            pass

    assert detection_runs.seconds_of(call, 3) >= 0.01
    assert next(waits, None) is None


def test_course_is_the_means_of_windows():
    assert detection_runs.course([1, 3, 5, 7], window=2) == [2, 6]
    assert detection_runs.course([1, 3], window=20) == [2]


def test_every_background_box_counts_once():
    """Logits of 0: each box, whatever it holds, is log 4 away."""
    learner = small_detectors.ssd_learner(hard_negative_mining.every_background)
    count = learner.model.output["scores"].shape[1]
    scenes = detection_runs.scenes("train", 2, detection_runs.LARGE)
    batch = detection_runs.batch_of(scenes, [0, 1])
    outputs = {"scores": np.zeros((2, count, 4)), "offsets": np.zeros((2, count, 4))}
    losses = hard_negative_mining.every_background(learner.decoding, batch, outputs)
    targets = detector.METHODS["ssd"].targets(learner.decoding, batch)
    number = (np.asarray(targets) >= 0).sum(axis=1)
    assert np.allclose(losses["class_loss"], count * np.log(4) / number, rtol=1e-5)


def test_sizes_leave_empty_slots_and_crowds_out():
    scenes = {
        "boxes": np.float32([[[1, 2, 4, 8], [0, 0, 9, 9], [0, 0, 0, 0]]]),
        "classes": np.int32([[0, 1, -1]]),
        "crowd": np.int32([[0, 1, 0]]),
    }
    assert anchors_by_k_means.sizes(scenes).tolist() == [[3, 6]]


def test_shapes_by_hand_are_those_of_faster_rcnn_at_this_size():
    scenes = detection_runs.scenes("train", 16)
    shapes = anchors_by_k_means.shapes_of(scenes, 0)
    assert [len(values) for values in shapes.values()] == [5, 9, 9]
    areas = shapes["hand"].prod(axis=1).reshape(3, 3)
    assert np.allclose(areas, np.square([[128], [256], [512]]) * (64 / 600) ** 2)


def test_dense_proposals_reach_the_objects():
    boxes = multi_task_training.dense_proposals()
    assert boxes.shape == (3 * 13 * 13, 4) and boxes.min() == 0 and boxes.max() == 64
    scenes = detection_runs.scenes("train", 16)
    objects = scenes["boxes"][(scenes["classes"] >= 0) & (scenes["crowd"] == 0)]
    best = np.asarray(pairwise_iou(objects, boxes)).max(axis=1)
    assert np.mean(best >= 0.5) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    ("claim", "size"),
    [
        (roi_align_against_pool, {"steps": 2, **FEW}),
        (ssd_against_faster_rcnn, {"seconds": 0, "repeats": 1, **FEW}),
        (hard_negative_mining, {"steps": 2, **FEW}),
        (anchors_by_k_means, {"steps": 1, **FEW}),
        (multi_task_training, {"steps": 1, "box_steps": 1, **FEW}),
        (
            rcnn_times,
            {"side": 64, "region": 32, "alpha": 1 / 16, "units": 8, "repeats": 1},
        ),
    ],
    ids=lambda value: getattr(value, "__name__", "").rpartition(".")[2],
)
def test_a_short_run_can_be_judged_drawn_and_kept(claim, size, small_steps, tmp_path):
    run = claim_results.tidy(claim.run(0, **size))
    runs = [run, run]
    assert len(claim_results.numbers(runs)) == len(run)
    holds, finding = claim.verdict(runs)
    assert isinstance(holds, bool) and finding.endswith(".") and "\n" not in finding
    assert claim.draw(runs, tmp_path / "claim.png").stat().st_size > 5000
    names = [name for name in run if name.endswith(("ap50", "_half", "_end"))]
    assert all(0 <= run[name] <= 1 for name in names)


@pytest.mark.slow
def test_learners_repeat_and_forget(small_steps):
    """A trap: states of the optimiser, of samplers and of batch norm are kept."""
    learner = small_detectors.faster_rcnn_learner("align")
    scenes = detection_runs.scenes("train", 16)
    losses = []
    for seed in (0, 0, 1):
        detection_runs.start(learner, seed)
        losses.append(detection_runs.train(learner, scenes, 2, 0))
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


@pytest.mark.slow
def test_classes_alone_and_boxes_alone_leave_the_other_layer(small_steps):
    scenes = detection_runs.scenes("train", 16)
    scenes = multi_task_training._with_proposals(scenes)
    changed = {}
    for name in ("class", "box"):
        learner = multi_task_training._learner(name)
        detection_runs.start(learner, 0)
        before = [variable.numpy() for variable in learner.model.variables]
        detection_runs.train(learner, scenes, 1, 0)
        changed[name] = {
            variable.path
            for variable, value in zip(learner.model.variables, before)
            if not np.array_equal(variable.numpy(), value)
        }
    assert changed["box"] == {"offsets/kernel", "offsets/bias"}
    assert not changed["class"] & changed["box"]
    assert {"conv1/kernel", "scores/kernel"} <= changed["class"]
