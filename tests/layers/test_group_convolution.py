import keras
import numpy as np
import pytest

from kcv.layers import group_convolution
from kcv.layers.group_convolution import GROUPS, GroupConvolution, transform

RNG = np.random.default_rng(0)


def pictures(side=9, channels=2):
    return RNG.normal(size=(2, side, side, channels)).astype("float32")


def moved(images, element):
    return np.stack([transform(image, element) for image in images])


def positions(maps, group):
    """(b, h, w, positions * filters) to (b, h, w, positions, filters)."""
    maps = np.asarray(maps)
    return maps.reshape(*maps.shape[:3], GROUPS[group], -1)


def test_moves_by_pencil():
    """A turn against the clock brings the right column on top; a mirror swaps columns.

    4 is the mirror alone, 5 the mirror, then the turn.
    """
    square = np.array([[1, 2], [3, 4]])
    np.testing.assert_array_equal(transform(square, 1), [[2, 4], [1, 3]])
    np.testing.assert_array_equal(transform(square, 4), [[2, 1], [4, 3]])
    np.testing.assert_array_equal(transform(square, 5), [[1, 3], [2, 4]])


@pytest.mark.parametrize("group", GROUPS)
def test_relative_positions_are_a_group(group):
    """In each row and column every element once, none leads out of the group."""
    order = GROUPS[group]
    table = [
        [group_convolution.relative(g, h) for h in range(order)] for g in range(order)
    ]
    for line in (*table, *zip(*table)):
        assert sorted(line) == list(range(order))
    assert [table[0][h] for h in range(order)] == list(range(order))


def test_first_layer_is_a_convolution_with_turned_kernels():
    layer = GroupConvolution(3, 3, lifting=True, use_bias=False)
    images = pictures()
    maps = positions(layer(images), "p4")
    kernel = np.asarray(layer.kernel)
    for r in range(4):
        turned = np.rot90(kernel, r).copy()
        wanted = keras.ops.conv(images, turned)
        np.testing.assert_allclose(maps[:, :, :, r], wanted, atol=1e-5)


@pytest.mark.parametrize("group", GROUPS)
def test_moving_the_image_moves_the_maps_exactly(group):
    """Equation 12, through two layers with biases: map r becomes s (map s^-1 r)."""
    first = GroupConvolution(3, 3, group, lifting=True)
    second = GroupConvolution(2, 3, group)

    def maps(images):
        return positions(second(keras.ops.relu(first(images))), group)

    images = pictures()
    before = maps(images)
    for layer in (first, second):
        layer.bias.assign(RNG.normal(size=layer.bias.shape))
    assert np.abs(maps(images) - before).max() > 0.1
    before = maps(images)
    assert np.ptp(before, axis=3).max() > 0.1  # the positions differ
    for s in range(GROUPS[group]):
        after = maps(moved(images, s))
        for r in range(GROUPS[group]):
            old = before[:, :, :, group_convolution.relative(s, r)]
            np.testing.assert_allclose(after[:, :, :, r], moved(old, s), atol=1e-5)


def test_p4_is_not_fooled_by_a_mirror():
    """Trap: a kernel that is the same in all positions would pass the test of turns."""
    layer = GroupConvolution(3, 3, lifting=True)
    images = pictures()
    maps, mirrored = (positions(layer(x), "p4") for x in (images, images[:, :, ::-1]))
    best = min(
        np.abs(mirrored[:, :, :, r] - moved(maps[:, :, :, q], s)).max()
        for r in range(4) for q in range(4) for s in range(8)
    )  # fmt: skip
    assert best > 0.1


def test_parameters_and_work():
    """Pencil: 3 * 3 * (4 * 5) * 6 and 6 biases; work as of 20 to 24 plain channels."""
    layer = GroupConvolution(6, 3)
    layer.build((None, 8, 8, 20))
    assert layer.count_params() == 3 * 3 * 20 * 6 + 6
    assert layer.compute_output_shape((None, 8, 8, 20)) == (None, 6, 6, 24)
    assert layer.multiply_adds((None, 8, 8, 20)) == 6 * 6 * 9 * 20 * 24
    assert layer.full_kernel().shape == (3, 3, 20, 24)


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="no group 'p6'; known: p4, p4m"):
        GroupConvolution(2, 3, "p6")
    with pytest.raises(
        ValueError, match="3 channels are no maps of p4, .*lifting=True"
    ):
        GroupConvolution(2, 3)(pictures(channels=3))


@pytest.mark.parametrize("group", GROUPS)
def test_saves_and_loads(group, tmp_path):
    inputs = keras.Input((9, 9, 2))
    maps = GroupConvolution(3, 3, group, lifting=True)(inputs)
    model = keras.Model(inputs, GroupConvolution(2, 2, group, use_bias=False)(maps))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    images = pictures()
    assert model.output_shape == (None, 6, 6, 2 * GROUPS[group])
    np.testing.assert_array_equal(again(images), model(images))
