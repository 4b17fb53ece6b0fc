"""Pictures of what a network looks at: gradients, Grad-CAM, deconvnet, occlusion."""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from kcv.layers.max_unpooling import MaxPoolingWithPositions, MaxUnpooling
from kcv.viz.deconvnet import deconvnet, signed_picture
from kcv.viz.filters import draw_maps, save_filters, save_maps
from kcv.viz.gallery import save_gallery
from kcv.viz.grad_cam import grad_cam, heat_over
from kcv.viz.gradients import gradients, last_maps, maps_of
from kcv.viz.occlusion import occlusion_heat, occlusion_map
from kcv.viz.rate_test import save_rate_test
from kcv.viz.rows import save_rows, shown
from kcv.viz.tiles import Tile

IMAGES = np.random.default_rng(0).normal(size=(3, 8, 9, 2)).astype("float32")


@pytest.fixture(scope="module")
def model():
    """Batch norm with real statistics, dropout, a residual, a softmax."""
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 9, 2), name="images")
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv1")(images)
    y = layers.BatchNormalization(name="bn")(x)
    y = layers.Conv2D(4, 3, padding="same", name="conv2")(layers.Dropout(0.5)(y))
    x = layers.ReLU(name="maps")(layers.Add(name="add")([x, y]))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(5, activation="softmax", name="predictions")(x)
    model = keras.Model(images, x, name="small")
    model.get_layer("bn").moving_variance.assign([0.5, 2, 3, 4])
    return model


def _scores(model, images):
    """The logits, by hand."""
    kernel, bias = model.get_layer("predictions").get_weights()
    return maps_of(model, images, "pool") @ kernel + bias


@pytest.mark.parametrize("layer", [None, "conv1", "conv2", "maps"])
def test_gradients_equal_a_tape(model, layer):
    """Oracle: GradientTape through a functional copy with the offset by hand."""
    tf = pytest.importorskip("tensorflow")
    weights = np.random.default_rng(1).normal(size=(3, 5)).astype("float32")
    before = [w.copy() for w in model.get_weights()]
    got = gradients(model, IMAGES, weights, layer)

    get = model.get_layer
    start = IMAGES if layer is None else maps_of(model, IMAGES, layer)
    start = tf.constant(start)
    with tf.GradientTape() as tape:
        tape.watch(start)
        x = (
            start
            if layer == "conv1"
            else get("conv1")(start if layer is None else IMAGES)
        )
        y = start if layer == "conv2" else get("conv2")(get("bn")(x, training=False))
        x = start if layer == "maps" else tf.nn.relu(x + y)
        kernel, bias = get("predictions").weights
        logits = tf.reduce_mean(x, (1, 2)) @ kernel.value + bias.value
        total = tf.reduce_sum(logits * weights)
    np.testing.assert_allclose(got, tape.gradient(total, start), atol=1e-5)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(new, old)
    assert model.trainable and len(model.get_layer("conv1")._inbound_nodes) == 1


def test_grad_cam_of_pooled_maps_is_cam(model):
    """Special case: behind the mean and a dense layer, the class's weights (CAM)."""
    classes = np.array([1, 4, 0])
    kernel = model.get_layer("predictions").get_weights()[0]
    maps = maps_of(model, IMAGES, "maps")
    expected = np.maximum(np.einsum("nhwc,cn->nhw", maps, kernel[:, classes]), 0)
    highest = np.maximum(expected.max((1, 2), keepdims=True), 1e-9)
    assert last_maps(model) == "maps"
    heat = grad_cam(model, IMAGES, classes)
    np.testing.assert_allclose(heat, expected / highest, atol=1e-4)
    answers = _scores(model, IMAGES).argmax(-1)
    np.testing.assert_array_equal(
        grad_cam(model, IMAGES), grad_cam(model, IMAGES, answers)
    )
    np.testing.assert_allclose(grad_cam(model, IMAGES[:1], [1])[0], heat[0], atol=1e-4)


@pytest.mark.parametrize("apart", [True, False])
def test_deconvnet_by_the_papers_steps(apart):
    """Oracle: unpool with switches, rectify, convolve transposed; twice."""
    keras.utils.set_random_seed(0)
    x = images = keras.Input((None, None, 2), name="images")
    for i, filters in enumerate((3, 5)):
        inner = None if apart else "relu"
        x = layers.Conv2D(filters, 3, padding="same", activation=inner, name=f"c{i}")(x)
        x = layers.ReLU(6.0, name=f"relu{i}")(x) if apart else x
        x = layers.MaxPooling2D(2, name=f"pool{i}")(x)
    model = keras.Model(images, x)
    pictures, values = deconvnet(model, IMAGES[:, :, :8], "pool1", 2)

    maps = np.maximum(keras.ops.conv(IMAGES[:, :, :8], *_of(model, "c0")), 0)
    first, switches0 = MaxPoolingWithPositions(2)(maps)
    second, switches1 = MaxPoolingWithPositions(2)(
        np.maximum(keras.ops.conv(first, *_of(model, "c1")), 0)
    )
    second = np.array(second)
    strongest = second[..., 2].reshape(3, -1).max(1)
    np.testing.assert_allclose(values, strongest, atol=1e-5)
    keep = second == strongest[:, None, None, None]
    keep[..., [0, 1, 3, 4]] = False
    x = np.where(keep, second, 0)
    for switches, name in ((switches1, "c1"), (switches0, "c0")):
        x = np.maximum(MaxUnpooling(2)(x, switches), 0)
        kernel = _of(model, name)[0]
        x = keras.ops.conv_transpose(x, kernel, 1, "same")
    assert np.abs(x).max() > 0.01
    np.testing.assert_allclose(pictures, x, atol=1e-5)


def _of(model, name):
    return model.get_layer(name).get_weights()[0], 1, "same"


def test_occlusion_by_hand():
    """Pencil: the answer is one pixel; it is gone where the square covers it."""
    image = np.zeros((4, 5, 1), "float32")
    image[1, 3] = 2.0

    def predict(images):
        return np.stack([images[:, 1, 3, 0], -images[:, 1, 3, 0]], axis=-1)

    answers = occlusion_map(predict, image, 0, size=3, value=0.5, batch_size=7)
    expected = np.full((4, 5), 2.0)
    expected[0:3, 2:5] = 0.5
    np.testing.assert_array_equal(answers, expected)
    np.testing.assert_array_equal(occlusion_heat(answers), (2 - expected) / 1.5)
    thinned = occlusion_map(predict, image, 0, size=3, stride=2, value=0.5)
    np.testing.assert_array_equal(thinned, expected[::2, ::2])
    grey = occlusion_map(predict, image, 1, size=1)
    assert grey[1, 3] == -np.float32(0.1) and (np.delete(grey, 8) == -2).all()
    assert (occlusion_heat(np.ones((2, 2))) == 0).all()
    even = occlusion_map(predict, image, 0, size=2, value=0.5)
    assert np.argwhere(even == 0.5).tolist() == [[1, 3], [1, 4], [2, 3], [2, 4]]


def test_heat_lies_where_it_was_found():
    heat = np.array([[0.0, 0.0], [1.0, 0.0]])
    picture = heat_over(np.full((20, 30, 3), 0.5), heat, share=1.0).astype(int)
    assert picture.shape == (20, 30, 3)
    assert picture[-1, 0].sum() > 600 > 100 > picture[0, -1].sum()


def test_signed_picture_has_grey_for_zero():
    picture = signed_picture(np.array([[[0.0], [9.0]], [[-9.0], [0.0]]]))
    np.testing.assert_array_equal(picture[..., 0], [[128, 188], [67, 128]])
    assert (signed_picture(np.zeros((2, 2, 3))) == 128).all()


def test_filters_and_maps(tmp_path):
    """Colours where there are three inputs, a row an output where there are more."""
    kernel = np.zeros((3, 3, 3, 2))
    kernel[1, 1, 0, 0] = 1.0
    picture = np.asarray(Image.open(save_filters(kernel, tmp_path / "a.png")))
    assert picture.shape == (4 + 52, 4 + 2 * 52, 3)
    assert tuple(picture[4 + 24, 4 + 24]) == (255, 128, 128)
    assert tuple(picture[4 + 24, 4 + 52 + 24]) == (128, 128, 128)
    rows = save_filters(np.ones((3, 3, 4, 2)), tmp_path / "b.png")
    assert Image.open(rows).size == (4 + 4 * 52, 4 + 2 * 52)
    maps = np.stack([np.arange(6.0).reshape(2, 3), np.ones((2, 3))], axis=-1)
    picture = np.asarray(Image.open(save_maps(maps, tmp_path / "c.png")))
    assert picture[4, 4, 0] == 0 and picture[4 + 31, 4 + 47, 0] == 255
    assert (picture[4, 4 + 52 : 4 + 100] == 0).all()


def test_large_maps_are_reduced_and_small_ones_enlarged():
    """By whole numbers, to 48..96 pixels."""
    for side, drawn in ((1, 48), (20, 60), (48, 48), (49, 49), (97, 49), (224, 75)):
        assert draw_maps(np.ones((side, side, 4))).shape == (
            4 + 2 * (drawn + 4),
        ) * 2 + (3,)


def test_rows_lie_side_by_side(tmp_path):
    """Two short rows beside each other, the third below; wide ones below each other."""
    tile = Tile(np.zeros((50, 300, 3), "uint8"), "title")
    for length, expected in ((2, (2, 2)), (3, (1, 3))):
        rows = [[tile] * length] * 3
        with Image.open(save_rows(rows, tmp_path / "rows.png")) as picture:
            across, down = expected
            row = length * 302 + (length - 1) * 12
            assert picture.width == 24 + across * row + (across - 1) * 24
            assert picture.height > down * 52 and picture.height < (down + 1) * 90
    for rows in ([], [[tile], []]):
        with pytest.raises(ValueError, match="a sheet needs a tile in every row"):
            save_rows(rows, tmp_path / "rows.png")


def test_shown_pictures_are_of_one_size():
    assert shown(np.zeros((28, 14, 1), "uint8")).shape == (252, 126, 3)
    assert shown(np.zeros((1024, 512, 3), "uint8")).shape == (256, 128, 3)
    assert (shown(np.ones((256, 256, 1)), (0, 2)) == 128).all()


def test_gallery_of_queries(tmp_path):
    """Three in a row; a frame for neighbours only."""
    images, frames = np.zeros((6, 4, 4, 1)), [None, True, False] * 2
    path = save_gallery(images, ["a"] * 6, tmp_path / "g.png", frames, columns=3)
    picture = np.asarray(Image.open(path).convert("RGB"))
    assert picture.shape[1] == 3 * 178 + 18
    colors = [tuple(picture[20, 20 + 178 * i].tolist()) for i in range(3)]
    assert colors == [(0, 0, 0), (0, 158, 115), (213, 94, 0)]


def test_picture_of_a_rate_test(tmp_path):
    rates = np.logspace(-4, 0, 20)
    losses = np.r_[np.linspace(2, 1, 15), 2, 4, 8, 16, np.nan]
    path = save_rate_test(rates, losses, losses, 1e-2, tmp_path / "rates.png")
    assert Image.open(path).size == (960, 570)
    with pytest.raises(ValueError, match="2 rates, 1 losses, 2 smoothed"):
        save_rate_test([1, 2], [1], [1, 2], None, tmp_path / "no.png")
    assert [p.name for p in tmp_path.iterdir()] == ["rates.png"]


def test_errors(model, tmp_path):
    with pytest.raises(ValueError, match="small has no layer 'conv9'; it has"):
        gradients(model, IMAGES, np.ones((3, 5)), "conv9")
    with pytest.raises(ValueError, match="layer 'pool' gives .4,., not"):
        grad_cam(model, IMAGES, layer="pool")
    with pytest.raises(ValueError, match="layer 'maps' gives .* no channel 4"):
        deconvnet(model, IMAGES, "maps", 4)
    flat = keras.Sequential([keras.Input((3,)), layers.Dense(2)], name="flat")
    with pytest.raises(ValueError, match="flat has no layer with maps"):
        last_maps(flat)
    images = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten()], name="plain")
    with pytest.raises(ValueError, match="plain has no layer with maps"):
        last_maps(images)
    with pytest.raises(ValueError, match="size and stride must be positive, got 0 and"):
        occlusion_map(None, IMAGES[0], 0, size=0)
    with pytest.raises(ValueError, match="no class 7: the model has 5"):
        occlusion_map(model.predict_on_batch, IMAGES[0], 7, size=9, stride=9)
    with pytest.raises(
        ValueError, match="kernel .k, k, in, out. is needed, got .3, 3."
    ):
        save_filters(np.ones((3, 3)), tmp_path / "a.png")
    with pytest.raises(ValueError, match="maps .* are needed, got .3, 3."):
        save_maps(np.ones((3, 3)), tmp_path / "a.png")
