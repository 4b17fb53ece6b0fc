import numpy as np
import pytest
import tensorflow as tf

from kcv import data
from kcv.data import mixing, random_numbers


def mixed(options, rows=4, **values):
    images = np.zeros((rows, 8, 8, 1), np.float32)
    images += np.arange(rows)[:, None, None, None]
    batch = {"images": tf.constant(images), "labels": tf.range(rows) + 10}
    random = {
        name: tf.constant(np.broadcast_to(values.get(name, 0.5), (rows,)), tf.float64)
        for name in random_numbers._COLUMNS
    }
    batch = mixing.mix_batch(data.Augment(**options), batch, random)
    return {name: value.numpy() for name, value in batch.items()}


def test_mixup_blends_neighbours():
    """Beta(1, 1) is uniform: the share is the random number itself."""
    batch = mixed({"mixup": 1.0}, rows=5, mix=[0.25, 0.25, 0.5, 0.75, 0.1])
    assert batch["labels"].tolist() == [10, 11, 12, 13, 14]
    assert batch["labels_b"].tolist() == [11, 10, 13, 12, 14]
    np.testing.assert_allclose(batch["mix"], [0.25, 0.25, 0.5, 0.75, 1], atol=1e-3)
    expected = [0.75, 0.25, 2.5, 2.75, 4]  # the odd last row stays alone
    np.testing.assert_allclose(batch["images"][:, 0, 0, 0], expected, atol=1e-3)


def test_cutmix_pastes_a_box_and_weighs_by_its_area():
    """Share 0.75: a box of half the side; at the corner a quarter of it is inside."""
    batch = mixed({"cutmix": 1.0}, rows=2, mix=0.75, mix_y=[0.5, 0.0], mix_x=[0.5, 0.0])
    first, second = batch["images"][..., 0]
    assert first.sum() == 16 and (first[2:6, 2:6] == 1).all()
    assert second.sum() == 64 - 4 and (second[:2, :2] == 0).all()
    np.testing.assert_allclose(batch["mix"], [0.75, 60 / 64])


def test_a_coin_chooses_between_mixup_and_cutmix():
    batch = mixed(
        {"mixup": 1.0, "cutmix": 1.0}, mix=0.75, mix_kind=[0.4, 0.4, 0.6, 0.6]
    )
    kinds = [len(np.unique(image)) for image in batch["images"]]
    assert kinds == [2, 2, 1, 1]


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_beta_distribution(alpha):
    """Mean 1/2, variance 1 / (4 (2 alpha + 1))."""
    uniform = tf.constant((np.arange(9999) + 0.5) / 9999)
    share = mixing.beta(alpha, uniform).numpy()
    assert share.mean() == pytest.approx(0.5, abs=1e-3)
    assert share.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.01)
