"""The claims about networks: their verdicts on made-up numbers, and short runs."""

import numpy as np
import pytest

from kcv.models.multiply_adds import multiply_adds
from kcv.tools import claim_results, claims
from kcv.tools.claims import (
    even_kernel_checkerboard,
    fine_tuning_few_samples,
    network_runs,
    plain_degradation,
    rate_divided_by_ten,
    separable_convolutions,
    sliding_window,
    test_time_augmentation,
    unit_orders,
)

NAMES = (
    "rate_divided_by_ten",
    "plain_degradation",
    "unit_orders",
    "separable_convolutions",
    "even_kernel_checkerboard",
    "fine_tuning_few_samples",
    "test_time_augmentation",
    "sliding_window",
)


def seeds(**values):
    """Runs of two seeds from pairs of values."""
    return [{name: pair[i] for name, pair in values.items()} for i in (0, 1)]


def test_they_are_registered_with_a_sentence_and_rows():
    assert set(NAMES) <= set(claims.NAMES)
    for name in NAMES:
        sentence, ids = claims.statement(name)
        assert sentence.endswith(".")
        assert ids


PLAIN = {
    "plain20": (0.10, 0.12),
    "plain56": (0.30, 0.40),
    "resnet20": (0.05, 0.06),
    "resnet56": (0.05, 0.07),
}


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"plain56": (0.30, 0.11)}, False),  # one seed among those of plain-20
        ({"resnet56": (0.061, 0.90)}, False),  # all above: the range is no excuse
    ],
)
def test_plain_degradation(changes, holds):
    found, finding = plain_degradation.verdict(seeds(**PLAIN | changes))
    assert found is holds
    if not changes:
        assert "35.0% (30.0% to 40.0%) with 56" in finding


ORDERS = {
    "full_preactivation": (0.010, 0.012),
    "original": (0.020, 0.025),
    "relu_only_preactivation": (0.022, 0.021),
    "relu_before_addition": (0.030, 0.031),
    "bn_after_addition": (0.040, 0.045),
}


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"relu_only_preactivation": (0.015, 0.016)}, True),  # these two may swap
        ({"full_preactivation": (0.010, 0.0205)}, False),  # within the spread
        ({"bn_after_addition": (0.001, 0.002)}, False),
    ],
)
def test_unit_orders(changes, holds):
    found, finding = unit_orders.verdict(seeds(**ORDERS | changes))
    assert found is holds
    first = "BN after" if changes.get("bn_after_addition") else "full pre-activation"
    assert finding.startswith(f"Measured test errors, from the lowest: {first}")


RATES = {
    "epochs_until_flat": (20, 22),
    "flat_error": (0.10, 0.11),
    "lowest_flat_error": (0.09, 0.10),
    "first_error_divided": (0.06, 0.07),
    "first_error_control": (0.10, 0.11),
    "mean_error_divided": (0.06, 0.06),
    "mean_error_control": (0.10, 0.10),
}


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"first_error_divided": (0.06, 0.105)}, False),  # not below the flat epochs
        ({"first_error_control": (0.05, 0.11)}, False),  # the control fell as well
        ({"mean_error_control": (0.10, 0.05)}, False),
    ],
)
def test_rate_divided_by_ten(changes, holds):
    assert rate_divided_by_ten.verdict(seeds(**RATES | changes))[0] is holds


COSTS = {
    "full_accuracy": (0.98, 0.97),
    "separable_accuracy": (0.97, 0.96),
    "full_multiply_adds": (8e6, 8e6),
    "separable_multiply_adds": (1e6, 1e6),
    "full_parameters": (9e4, 9e4),
    "separable_parameters": (1e4, 1e4),
    "full_mobilenet_multiply_adds": (4.866e9,) * 2,
    "separable_mobilenet_multiply_adds": (5.69e8,) * 2,
    "full_mobilenet_parameters": (29.3e6,) * 2,
    "separable_mobilenet_parameters": (4.2e6,) * 2,
}


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"separable_accuracy": (0.95, 0.94)}, False),  # three points
        ({"separable_multiply_adds": (2e6, 2e6)}, False),  # four times
    ],
)
def test_separable_convolutions(changes, holds):
    found, finding = separable_convolutions.verdict(seeds(**COSTS | changes))
    assert found is holds
    assert "in MobileNet 8.6 and 7.0 times" in finding


def test_the_full_mobilenet_costs_what_table_4_says():
    costs = {}
    for kind in separable_convolutions.KINDS:
        arguments = (kind, 224, 3, 1000, (32, 2), separable_convolutions.BLOCKS)
        model = separable_convolutions.network(*arguments)
        costs[kind] = multiply_adds(model), model.count_params()
    assert [round(c / 1e6) for c in (costs["full"][0], costs["separable"][0])] == [
        4867,  # the paper prints 4866
        569,
    ]
    assert [round(c / 1e6, 1) for c in (costs["full"][1], costs["separable"][1])] == [
        29.3,
        4.3,  # with moving statistics; 4.2 without
    ]


KERNELS = {
    "fewest_overlaps_3": (1, 1),
    "most_overlaps_3": (4, 4),
    "fewest_overlaps_4": (4, 4),
    "most_overlaps_4": (4, 4),
    "untrained_3": (0.25, 0.24),
    "untrained_4": (0.01, 0.02),
    "trained_3": (0.10, 0.12),
    "trained_4": (0.05, 0.04),
}


@pytest.mark.parametrize(
    ("changes", "holds"),
    [({}, True), ({"trained_4": (0.05, 0.13)}, False)],
)
def test_even_kernel_checkerboard(changes, holds):
    found, finding = even_kernel_checkerboard.verdict(seeds(**KERNELS | changes))
    assert found is holds
    assert "sums up 1 to 4 inputs, with 4 always 4;" in finding


def test_overlap_of_kernel_3_is_1_2_2_4_and_of_kernel_4_is_4():
    """A row of kernel 3 and stride 2 meets outputs 1, 2, 1, 2, ... times: its product.

    Kernel 4 meets each twice in a row and in a column.
    """
    inner = even_kernel_checkerboard.overlap(3)[4:8, 4:8]
    assert sorted(np.unique(inner)) == [1, 2, 4]
    assert np.array_equal(inner, np.outer(inner[:, 0], inner[0]) // inner[0, 0])
    assert np.all(even_kernel_checkerboard.overlap(4)[4:12, 4:12] == 4)


def test_unevenness_of_sizes_1_1_1_3():
    """Root mean squares 1, 1, 1, 3: mean 1.5, deviation sqrt(3)/2."""
    values = np.ones((2, 16, 16, 1))
    assert even_kernel_checkerboard.unevenness(values) == 0
    values[:, 1::2, 1::2] = -3
    expected = 3**0.5 / 2 / 1.5
    assert even_kernel_checkerboard.unevenness(values) == pytest.approx(expected)


TRANSFER = {
    "fine_tuned_5": (0.90, 0.91),
    "scratch_10": (0.85, 0.91),
    "fine_tuned_10": (0.94, 0.95),
    "scratch_20": (0.92, 0.93),
}


@pytest.mark.parametrize(
    ("changes", "holds"), [({}, True), ({"scratch_10": (0.85, 0.92)}, False)]
)
def test_fine_tuning_few_samples(changes, holds):
    found, _ = fine_tuning_few_samples.verdict(seeds(**TRANSFER | changes))
    assert found is holds


@pytest.mark.parametrize(
    ("five", "holds"), [((0.04, 0.05), True), ((0.04, 0.06), False)]
)
def test_crops(five, holds):
    numbers = {"test_digits": (1497, 1497), "error_of_middle": (0.05, 0.06)}
    runs = seeds(**numbers, error_of_five=five)
    assert test_time_augmentation.verdict(runs)[0] is holds


SLIDING = {
    "windows": (625, 625),
    "difference": (1e-7, 2e-7),
    "times_faster": (20, 22),
    "overfeat_windows": (16, 16),
    "overfeat_times_faster": (5, 6),
    "overfeat_difference": (0.1, 0.2),
}


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"difference": (1e-7, 1e-4)}, False),
        ({"times_faster": (20, 1.5)}, False),
        ({"overfeat_times_faster": (1.9, 6)}, False),
    ],
)
def test_sliding_window(changes, holds):
    assert sliding_window.verdict(seeds(**SLIDING | changes))[0] is holds


def test_sliding_compares_the_same_windows():
    """A trap: rows and columns changed, or patches at another stride."""
    model = network_runs.fresh(0, network_runs.unpadded_lenet, network_runs.adam, 32)
    image = np.random.default_rng(0).uniform(size=(40, 48, 1)).astype("float32")
    found, answers = sliding_window.compare(model, image, 32, 4, repeats=1)
    assert answers.shape == (3, 5, 10)
    assert found["windows"] == 15
    assert found["difference"] < 1e-5


def test_fresh_models_repeat_and_forget():
    arguments = (network_runs.small_cnn, network_runs.adam, 8, 5)
    images = np.random.default_rng(0).uniform(size=(8, 8, 8, 1)).astype("float32")
    losses = []
    for seed in (0, 0, 1):
        model = network_runs.fresh(seed, *arguments)
        pairs = [model.train_on_batch(images, np.arange(8) % 5) for _ in range(3)]
        losses.append([float(pair[0]) for pair in pairs])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


@pytest.mark.slow
def test_a_short_run_can_be_judged_drawn_and_kept(tmp_path, eager):
    few = {"samples": (2, 5, 10, 20, 40), "pretraining_steps": 2, "steps": 2}
    for claim, size in (
        (fine_tuning_few_samples, few),
        (test_time_augmentation, {"steps": 2}),
    ):
        runs = [claim_results.tidy(claim.run(seed, **size)) for seed in (0, 1)]
        assert len(claim_results.numbers(runs)) == len(runs[0])
        assert isinstance(claim.verdict(runs)[0], bool)
        assert claim.draw(runs, tmp_path / "claim.png").stat().st_size > 5000


@pytest.mark.slow
def test_a_short_run_of_many_steps(tmp_path):
    check_short_run(rate_divided_by_ten, {"most": 2, "after": 2}, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("claim", "size"),
    [
        (even_kernel_checkerboard, {"steps": 2}),
        (separable_convolutions, {"steps": 2}),
        (sliding_window, {"steps": 2, "repeats": 1}),
    ],
)
def test_a_short_run_of_the_dearer_ones(claim, size, tmp_path, eager):
    check_short_run(claim, size, tmp_path)


def check_short_run(claim, size, tmp_path):
    """It can be judged and drawn, and another run of the seed has the same numbers."""
    runs = [claim_results.tidy(claim.run(0, **size))]
    assert isinstance(claim.verdict(runs)[0], bool)
    assert claim.draw(runs, tmp_path / "claim.png").stat().st_size > 5000
    again = [claim_results.tidy(claim.run(0, **size))]
    timed = [name for name in runs[0] if "_ms" in name or "faster" in name]
    for name in set(runs[0]) - set(timed):
        assert runs[0][name] == again[0][name], name


@pytest.mark.slow
def test_short_runs_of_residual_networks(eager):
    run = plain_degradation.run(0, names=("plain20",), steps=4)
    assert 0 <= run["plain20"] <= 1
    run = unit_orders.run(0, orders=("original",), steps=4)
    assert 0 <= run["original"] <= 1
