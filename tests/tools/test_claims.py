"""The claims of the foundations: verdicts on made-up numbers, small runs by hand."""

import itertools
import pathlib

import keras
import numpy as np
import pytest

from kcv.models.foundations.mlp import mlp
from kcv.models.foundations.perceptron import learn_from_mistakes
from kcv.tools import claim_results, claims
from kcv.tools.claims import (
    batch_norm_higher_rate,
    digits_runs,
    dropout_and_augmentation,
    initialisation_variance,
    linear_layers,
    momentum_on_a_bowl,
    over_seeds,
    relu_faster_than_tanh,
    through_depth,
    vanishing_gradients,
    xor,
)

ROOT = pathlib.Path(__file__).parents[2]
COMMITTED = claim_results.read_all(ROOT / "results")

XOR = {
    "rule_ends_on_and": 1.0,
    "rule_ends_on_xor": 0.0,
    "rule_repeats_itself_on_xor": 1.0,
    "mlp_mistakes": 0.0,
    "mlp_loss": 0.01,
}
LINEAR = {
    "deviation": 1e-6,
    "train_error_one_layer": 0.1,
    "train_error_linear_stack": 0.09,
    "train_error_relu_stack": 0.02,
}
VANISHING = {
    **{f"first_over_last_sigmoid_{name}": 1e-9 for name in ("glorot", "he")},
    **{f"first_over_last_relu_{name}": 1.5 for name in ("glorot", "he")},
    **{f"train_error_{name}": 0.5 for name in vanishing_gradients.USUAL},
}
VARIANCE = {
    **{f"factor_forwards_{name}": 0.2 for name in initialisation_variance.ARMS},
    **{f"factor_backwards_{name}": 5.0 for name in initialisation_variance.ARMS},
    "factor_backwards_tanh_he": 60.0,
    "factor_forwards_relu_glorot": 1e-8,
}
BOWL = {
    **{"steps_plain": 340.0, "steps_momentum": 150.0, "steps_nesterov": 140.0},
    **{f"best_rate_{name}": 0.01 for name in momentum_on_a_bowl.ARMS},
}
NORM = {  # the rates are 0.1, 0.3, 0.4, 0.5, 0.7, 1
    "errors_without": [0.04, 0.03, *[0.9] * 4],
    "errors_with": [0.02, 0.01, 0.01, *[0.04] * 3],
    "largest_rate_without": 0.3,
    "largest_rate_with": 1.0,
}
RELU = {
    **{"steps_tanh": 200.0, "steps_relu": 90.0, "tanh_over_relu": 2.2},
    **{f"best_rate_{name}": 0.01 for name in relu_faster_than_tanh.ARMS},
}
FEW = {
    **{"error_neither": 0.1, "error_dropout": 0.08},
    **{"error_augmentation": 0.05, "error_both": 0.04},
}


@pytest.mark.parametrize(
    ("claim", "run", "refuting"),
    [
        (xor, XOR, {"mlp_mistakes": 1.0}),
        (xor, XOR, {"rule_repeats_itself_on_xor": 0.0}),
        (xor, XOR, {"rule_ends_on_and": 0.0}),
        (linear_layers, LINEAR, {"deviation": 1e-4}),
        (linear_layers, LINEAR, {"train_error_linear_stack": 0.05}),
        (linear_layers, LINEAR, {"train_error_relu_stack": 0.06}),
        (vanishing_gradients, VANISHING, {"first_over_last_sigmoid_he": 1e-5}),
        (vanishing_gradients, VANISHING, {"first_over_last_relu_he": 0.05}),
        (vanishing_gradients, VANISHING, {"first_over_last_relu_he": 20.0}),
        (initialisation_variance, VARIANCE, {"factor_forwards_relu_he": 0.05}),
        (initialisation_variance, VARIANCE, {"factor_backwards_tanh_glorot": 11.0}),
        (initialisation_variance, VARIANCE, {"factor_backwards_tanh_he": 9.0}),
        (momentum_on_a_bowl, BOWL, {"steps_momentum": 171.0}),
        (momentum_on_a_bowl, BOWL, {"steps_nesterov": None}),
        (batch_norm_higher_rate, NORM, {"errors_with": [0.01] * 2 + [0.1] * 4}),
        (batch_norm_higher_rate, NORM, {"errors_without": [0.4] * 6}),
        (batch_norm_higher_rate, NORM, {"errors_without": [0.9] * 6}),
        (relu_faster_than_tanh, RELU, {"tanh_over_relu": 1.9}),
        (relu_faster_than_tanh, RELU, {"tanh_over_relu": None, "steps_tanh": None}),
        (dropout_and_augmentation, FEW, {"error_dropout": 0.1}),
        (dropout_and_augmentation, FEW, {"error_augmentation": 0.11}),
    ],
)
def test_one_seed_can_refute_a_claim(claim, run, refuting):
    holds, finding = claim.verdict([run, run, run])
    assert holds and finding.endswith(".") and "\n" not in finding
    holds, finding = claim.verdict([run, {**run, **refuting}, run])
    assert not holds and finding.endswith(".")


def test_batch_norm_needs_one_rate_for_all_seeds():
    later = {"errors_without": [0.1, 0.04, 0.03, *[0.9] * 3]}
    earlier = {"errors_with": [0.02, 0.01, 0.01, *[0.2] * 3]}
    runs = [{**NORM, **later}, {**NORM, **earlier}]
    assert not batch_norm_higher_rate.verdict(runs)[0]
    assert batch_norm_higher_rate.verdict(runs[:1])[0]


@pytest.mark.parametrize("found", COMMITTED, ids=lambda found: found["claim"])
def test_committed_verdict_is_that_of_the_committed_numbers(found):
    """Nobody changed a verdict by hand, or a criterion after the run."""
    claim = claims.module(found["claim"])
    holds, finding = claim.verdict(claim_results.runs_of(found))
    assert found["verdict"] == claim_results.VERDICTS[0 if holds else 1]
    assert found["finding"] == finding
    assert (found["sentence"], found["ids"]) == (claim.CLAIM, list(claim.IDS))
    assert len(found["seeds"]) >= 3
    assert found["seconds"] <= 300


def test_spread_is_told():
    assert over_seeds.told([0.1, 0.2, 0.3]) == "0.2 (0.1 to 0.3)"
    assert over_seeds.told([0.5, 0.5], ".0%") == "50%"
    assert over_seeds.told([3.0, None], ".0f") == "3, none"
    assert over_seeds.told([None, None]) == "none"


def test_rule_on_xor_repeats_one_epoch_in_every_order_of_the_points():
    """So the epochs that the picture shows after the last are those that follow."""
    for order in itertools.permutations(range(4)):
        order = list(order)
        rule = learn_from_mistakes(xor.POINTS[order], xor.XOR[order], max_epochs=1000)
        last = len(rule.mistakes)
        same = f"after epoch {last} are those after epoch {last - 1}:"
        assert xor.repeats(rule) and same in rule.reason
    rule = learn_from_mistakes(xor.POINTS, xor.XOR, max_epochs=xor.EPOCHS)
    assert xor._shown(rule) == [4] * xor.SHOWN


def test_product_of_linear_layers_is_the_stack_and_relu_is_not():
    images = digits_runs.digits("test")[0]
    keras.utils.set_random_seed(0)
    stack = mlp(classes=2, hidden=(6, 5), activation=None)
    stack.get_layer("hidden1").bias.assign(np.arange(6.0))
    assert linear_layers.deviation(stack, images) < 1e-5
    bent = mlp(classes=2, hidden=(6, 5), activation="relu")
    assert linear_layers.deviation(bent, images) > 1e-2


def test_steps_on_a_bowl_by_hand():
    """At rate 0.01 plain SGD ends the steep axis at once, the flat one by 0.99 a step.

    So the value falls by 0.99^2 a step once it is flat: below 1e-6 of the steep start
    after less than ln(1e6) / (2 * 0.01005) = 687 steps, and more than half of that.
    """
    values, places = momentum_on_a_bowl.descend(0, 0.01)
    assert abs(places[1][1]) < 1e-5
    assert np.allclose(np.divide(places[2][0], places[1][0]), 0.99, atol=1e-4)
    steps = momentum_on_a_bowl.steps_needed(values)
    assert 300 < steps == len(values) - 1 < 687
    diverged, _ = momentum_on_a_bowl.descend(0, 0.028)  # stable below 2 / 100
    assert momentum_on_a_bowl.steps_needed(diverged) is None
    assert diverged[-1] > 1e6


def test_signals_through_one_linear_neuron_chain():
    """Units of 1, kernels of 2, no bend: outputs double, gradients halve backwards."""
    twos = lambda seed: keras.initializers.Constant(2.0)  # noqa: E731
    model = through_depth.deep_mlp(None, twos, depth=3, width=1, seed=0)
    images = np.zeros((1, 8, 8, 1), "float32")
    images[0, 0, 0, 0] = 1.0  # so the first output is 2
    outputs, backwards, kernels = through_depth.signals(model, images, np.array([3]))
    assert np.allclose(outputs, [4, 16, 64])
    assert np.allclose(backwards[:-1] / backwards[1:], 4)
    # The kernel's gradient is input times gradient of the output.
    assert np.allclose(kernels[2] ** 2, outputs[1] * backwards[2])
    assert np.allclose(kernels[0] ** 2, 1 * backwards[0])


def test_layers_of_a_deep_mlp_differ():
    glorot = keras.initializers.GlorotUniform
    model = through_depth.deep_mlp("tanh", glorot, depth=3, width=64, seed=1)
    first, second, third = (la.get_weights()[0] for la in model.layers[2:5])
    assert abs(first - second).max() > 0.1 and abs(second - third).max() > 0.1


def test_few_digits_are_ten_of_each_and_the_others_are_others():
    few, others = dropout_and_augmentation.drawn(3)
    assert few[0].shape == (100, 12, 12, 1) and others[0].shape == (1697, 12, 12, 1)
    assert np.bincount(few[1]).tolist() == [10] * 10
    again, _ = dropout_and_augmentation.drawn(3)
    assert np.array_equal(few[0], again[0])
    assert not np.array_equal(few[0], dropout_and_augmentation.drawn(4)[0][0])


def test_batches_are_whole_shuffled_and_of_the_seed():
    images = np.arange(10).reshape(10, 1)
    made = [b for b, _ in digits_runs.batches(images, images[:, 0], 6, 3, seed=0)]
    assert all(batch.shape == (3, 1) for batch in made)
    assert len(set(np.ravel(made[:3]))) == 9  # an epoch has no example twice
    again = [b for b, _ in digits_runs.batches(images, images[:, 0], 6, 3, seed=0)]
    assert np.array_equal(made, again)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("claim", "options"),
    [
        (xor, {}),
        (linear_layers, {"steps": 5}),
        (vanishing_gradients, {"depth": 3, "steps": 10}),
        (initialisation_variance, {"depth": 6}),
        (momentum_on_a_bowl, {"rates": (0.0198,)}),
        (batch_norm_higher_rate, {"rates": (0.1, 1.0), "steps": 10}),
        (relu_faster_than_tanh, {"rates": (0.03,), "longest": 8}),
        (dropout_and_augmentation, {"epochs": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", "").rpartition(".")[2],
)
def test_run_in_small_gives_what_a_file_holds(claim, options, monkeypatch, eager):
    monkeypatch.setattr(xor, "STEPS", 10)
    monkeypatch.setattr(linear_layers, "EVERY", 5)
    run = claim_results.tidy(claim.run(1, **options))
    name = claim.__name__.rpartition(".")[2]
    whole = next(found for found in COMMITTED if found["claim"] == name)
    assert set(run) == set(whole["numbers"])


@pytest.mark.slow
@pytest.mark.parametrize("found", COMMITTED, ids=lambda found: found["claim"])
def test_committed_pictures_can_be_drawn_again(found, tmp_path):
    claim = claims.module(found["claim"])
    path = claim.draw(claim_results.runs_of(found), tmp_path / "picture.png")
    assert path.read_bytes()[:4] == b"\x89PNG"
