import numpy as np
import tensorflow as tf

from kcv.data import random_numbers


def numpy_uniforms(key, position, column):
    """The hash in Python's own integers."""

    def scramble(bits):
        bits = ((bits ^ bits >> 16) * 0x7FEB352D) % 2**32
        bits = ((bits ^ bits >> 15) * 0x846CA68B) % 2**32
        return bits ^ bits >> 16

    bits = scramble(scramble((position + key[0]) % 2**32) ^ key[1])
    return scramble(scramble((bits + column * 0x9E3779B9) % 2**32)) / 2**32


def test_random_numbers_are_the_hash():
    key = random_numbers.epoch_key(3, 7)
    positions = [0, 1, 12345, 2**32 - 1]
    random = random_numbers.uniforms(tf.constant(key), tf.constant(positions, tf.int64))
    key = [int(word) for word in key]
    for index, name in enumerate(random_numbers._COLUMNS):
        expected = [numpy_uniforms(key, p, index + 1) for p in positions]
        np.testing.assert_array_equal(random[name], expected)


def test_random_numbers_look_random():
    """Uniform, and uncorrelated between columns, neighbours, epochs and seeds."""
    columns = []
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        key = tf.constant(random_numbers.epoch_key(seed, epoch))
        random = random_numbers.uniforms(key, tf.range(4096, dtype=tf.int64))
        columns += [value.numpy() for value in random.values()]
    columns += [columns[0][1:].tolist() + [0.5]]  # the neighbour's
    numbers = np.array(columns)
    assert np.abs(numbers.mean(axis=1) - 0.5).max() < 5 / np.sqrt(12 * 4096)
    counts = np.array([np.histogram(row, 16, (0, 1))[0] for row in numbers])
    assert np.abs(counts - 256).max() < 5.5 * 16
    correlation = np.corrcoef(numbers) - np.eye(len(numbers))
    assert np.abs(correlation).max() < 5 / np.sqrt(4096)
