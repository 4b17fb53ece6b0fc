import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from kcv.train.optimizers import make_optimizer
from kcv.train.rate_test import DIVERGED, rate_test, steepest

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(64, 4, 4, 1)).astype("float32")
TARGETS = IMAGES.mean((1, 2, 3))[:, None]


def _data(epoch, start_step, replicas):
    order = np.random.default_rng(epoch).permutation(64)
    batches = {"images": IMAGES[order], "targets": TARGETS[order]}
    return tf.data.Dataset.from_tensor_slices(batches).batch(16).skip(start_step)


def _squares(model, batch, training):
    errors = model(batch["images"], training=training) - batch["targets"]
    return {"squares": keras.ops.sum(errors**2, axis=-1)}, {}


def _model():
    keras.utils.set_random_seed(0)
    images = keras.Input((4, 4, 1))
    x = layers.BatchNormalization()(layers.Flatten()(images))
    return keras.Model(images, layers.Dense(1)(x))


def _run(model, optimizer, **options):
    return rate_test(model, _squares, optimizer, _data, steps_per_epoch=4, **options)


def test_range_ends_where_training_diverges():
    """Rates climb by one factor over several epochs; 100 is too much for a line."""
    found = _run(_model(), make_optimizer("sgd", 0.1), low=1e-3, high=100, steps=40)
    assert 8 < len(found.rates) < 40  # not all steps were needed
    factors = np.divide(found.rates[1:], found.rates[:-1])
    np.testing.assert_allclose(factors, (100 / 1e-3) ** (1 / 39), rtol=1e-4)
    assert found.rates[0] == pytest.approx(1e-3)
    assert found.smoothed[-1] > DIVERGED * min(found.smoothed)
    assert found.rates[0] < found.suggested < found.rates[-1]
    assert np.argmin(found.smoothed) > found.rates.index(found.suggested)


def test_losses_are_those_of_the_batches():
    """Oracle: at rates that change nothing, the losses of the untrained model."""
    model = _model()
    found = _run(model, make_optimizer("sgd", 0.1), low=1e-12, high=1e-11, steps=6)
    expected = []
    for epoch in range(2):
        for batch in _data(epoch, 0, None):
            values, _ = _squares(model, batch, training=True)
            expected.append(float(np.mean(values["squares"])))
    np.testing.assert_allclose(found.losses, expected[:6], rtol=1e-4)


@pytest.mark.parametrize("high", [0.01, 1e30])
def test_model_and_optimizer_leave_as_they_came(high):
    """Trap: batch statistics and momentum too, also after an overflow."""
    model, optimizer = _model(), make_optimizer("adam", 0.1)
    before = [w.copy() for w in model.get_weights()]
    found = _run(model, optimizer, low=1e-4, high=high, steps=10)
    assert len(found.rates) > 1
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(new, old)
    assert int(optimizer.iterations) == 0
    assert float(optimizer.learning_rate) == pytest.approx(0.1)
    assert all(not np.any(v) for v in optimizer.variables[2:])


def test_smoothed_is_a_weighted_mean():
    """Pencil: losses a, b, c give a; (b + a / 2) / 1.5; (c + b / 2 + a / 4) / 1.75."""
    optimizer = make_optimizer("sgd", 0.1)
    found = _run(_model(), optimizer, low=1e-4, high=1e-3, steps=3, smoothing=0.5)
    a, b, c = found.losses
    expected = [a, (b + a / 2) / 1.5, (c + b / 2 + a / 4) / 1.75]
    np.testing.assert_allclose(found.smoothed, expected)


def test_steepest_by_hand():
    """The fall from 8 to 2 is around the third rate; NaN at the end counts not."""
    rates, losses = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10], [9, 8, 5, 2, 3, np.nan]
    assert steepest(rates, losses) == 1e-2
    assert steepest([1, 2, 4], [1, 2, 3]) is None
    assert steepest([1, 2], [1, np.nan]) is None


def test_steepest_looks_through_the_noise_of_batches():
    """A slow fall by 1 over two decades, under noise that falls faster in one step."""
    rates = np.logspace(-5, 1, 120)
    fall = np.interp(np.log10(rates), [-5, -4, -2, -1, 0, 1], [3, 3, 2, 2, 9, 8])
    noise = np.random.default_rng(0).normal(0, 0.05, 120)
    assert 1e-4 < steepest(rates, fall + noise) < 1e-2


def test_errors():
    model, optimizer = _model(), make_optimizer("sgd", 0.1)
    with pytest.raises(
        ValueError, match="rates must climb from above zero, got 1 to 0"
    ):
        _run(model, optimizer, low=1, high=0.1)
    with pytest.raises(ValueError, match="at least 2 steps, got 1"):
        _run(model, optimizer, steps=1)
