import math

import keras
import numpy as np
import pytest

from kcv.models.classification import vit

RNG = np.random.default_rng(0)


def randomised(model):
    """Weights that let no branch vanish; the zeros of a fresh class token would."""
    for weight in model.weights:
        kind, shape = weight.path.rsplit("/", 1)[1], weight.shape
        fan_in = np.prod(shape[:-1]) if kind == "kernel" else 1
        value = RNG.normal(kind == "gamma", 0.5, shape)
        weight.assign(value * 2 / np.sqrt(fan_in))
    return model


def pictures(height, width, count=2):
    return RNG.uniform(-1, 1, (count, height, width, 3)).astype("float32")


@pytest.mark.parametrize(
    ("build", "patch_size", "parameters"),
    [
        (vit.vit_ti, 16, 5_717_416),
        (vit.vit_ti, 32, 6_131_560),
        (vit.vit_s, 16, 22_050_664),
        (vit.vit_s, 32, 22_878_952),
        pytest.param(vit.vit_b, 16, 86_567_656, marks=pytest.mark.slow),
        pytest.param(vit.vit_b, 32, 88_224_232, marks=pytest.mark.slow),
    ],
)
def test_parameters_are_the_published(build, patch_size, parameters):
    with keras.StatelessScope(initialize_variables=False):
        model = build(patch_size=patch_size)
    assert model.count_params() == parameters
    assert model.layers[-1].name == "predictions"


def forward(model, image, patch_size, heads):
    """One image in NumPy, token by token, from the paper's equations 1 to 4."""
    w = {weight.path: np.asarray(weight).astype("float64") for weight in model.weights}

    def dense(x, name):
        return x @ w[f"{name}/kernel"] + w[f"{name}/bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)
        return x * w[f"{name}/gamma"] + w[f"{name}/beta"]

    gelu = np.vectorize(lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2)
    kernel = w["patches/kernel"].reshape(-1, w["patches/bias"].size)
    z = [w["class_token/token"][0, 0]]
    for y in range(0, image.shape[0], patch_size):
        for x in range(0, image.shape[1], patch_size):
            patch = image[y : y + patch_size, x : x + patch_size].ravel()
            z.append(patch @ kernel + w["patches/bias"])
    z = np.array(z) + w["positions/positions"][0]
    block = 1
    while f"block{block}_query/kernel" in w:
        a = norm(z, f"block{block}_ln1")
        q, k, v = (dense(a, f"block{block}_{n}") for n in ("query", "key", "value"))
        size, attended = q.shape[1] // heads, []
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            scores = q[:, part] @ k[:, part].T / math.sqrt(size)
            shares = np.exp(scores - scores.max())
            shares /= shares.sum(axis=1, keepdims=True)
            attended.append(shares @ v[:, part])
        z = z + dense(np.concatenate(attended, axis=1), f"block{block}_project")
        a = norm(z, f"block{block}_ln2")
        a = gelu(dense(a, f"block{block}_mlp1"))
        z = z + dense(a, f"block{block}_mlp2")
        block += 1
    assert block == 13
    return dense(norm(z, "ln")[0], "predictions")


@pytest.mark.parametrize(("size", "patch_size"), [((32, 48), 16), ((16, 8), 4)])
def test_equals_a_forward_pass_in_numpy(size, patch_size):
    model = vit.vit_ti((*size, 3), 5, None, patch_size=patch_size)
    randomised(model)
    images = pictures(*size)
    wanted = np.array([forward(model, image, patch_size, 3) for image in images])
    scale = np.abs(wanted).max()
    assert np.ptp(wanted, axis=0).max() > 0.05 * scale  # it looks at the image
    np.testing.assert_allclose(model(images), wanted, atol=1e-4 * scale)


def test_without_positions_the_order_of_patches_is_nothing():
    """A special case that must hold: attention sees a set."""
    model = randomised(vit.vit_ti((32, 32, 3), 5, None))
    images = pictures(32, 32)
    swapped = np.concatenate([images[:, 16:], images[:, :16]], axis=1)
    before = np.asarray(model(images))
    assert np.abs(np.asarray(model(swapped)) - before).max() > 1e-2
    positions = model.get_layer("positions").positions
    positions.assign(np.zeros(positions.shape))
    before = np.asarray(model(images))
    np.testing.assert_allclose(model(swapped), before, atol=1e-4 * np.abs(before).max())


def test_attention_maps_are_shares_that_make_the_answer():
    model = randomised(vit.vit_ti((32, 48, 3), 5))
    images = pictures(32, 48)
    outputs, maps = vit.attention_maps(model, images)
    assert maps.shape == (2, 12, 3, 7, 7)
    np.testing.assert_allclose(outputs, model(images), atol=1e-6)
    np.testing.assert_allclose(maps.sum(axis=-1), 1, atol=1e-5)
    picture = vit.attention_picture(maps, (2, 3))
    assert picture.shape == (2, 2, 3) and np.all(picture.max((1, 2)) == 1)


def test_picture_by_pencil():
    """One layer, one head; the class token looks at patch 1 twice as much as at 0."""
    maps = np.eye(3)[None, None, None].copy()
    maps[..., 0, :] = [0.4, 0.2, 0.4]
    np.testing.assert_allclose(vit.attention_picture(maps, (1, 2)), [[[0.5, 1.0]]])


def test_picture_follows_the_layers():
    """Trap: layers multiplied the wrong way round. Token 0 looks at 1, which looked at
    2 a layer before; patch 2 is seen, as bright as 1 by the skip connections.
    """
    maps = np.repeat(np.eye(3)[None, None, None], 2, axis=1)
    maps[0, 0, 0, 1] = [0, 0, 1]  # first layer: token 1 looks at token 2
    maps[0, 1, 0, 0] = [0, 1, 0]  # second: token 0 looks at token 1
    np.testing.assert_allclose(vit.attention_picture(maps, (1, 2)), [[[1.0, 1.0]]])
    wrong = vit.attention_picture(maps[:, ::-1], (1, 2))
    np.testing.assert_allclose(wrong, [[[1.0, 0.0]]])


@pytest.mark.parametrize(("patch_size", "level"), [(8, "C3"), (16, "C4"), (32, "C5")])
def test_features(patch_size, level):
    maps = vit.vit_features(keras.Input((64, 96, 3)), "ti", patch_size)
    shape = (None, 64 // patch_size, 96 // patch_size, 192)
    assert {name: x.shape for name, x in maps.items()} == {level: shape}


def test_features_stand_where_their_patches_are():
    """Trap: rows for columns. A patch moves its own place most."""
    images = keras.Input((32, 48, 3))
    maps = vit.vit_features(images, "ti")["C4"]
    model = keras.Model(images, maps)
    batch = pictures(32, 48, 1)
    other = batch.copy()
    other[:, 16:, 32:] *= -1  # the patch in row 1, column 2
    moved = np.abs(np.asarray(model(other)) - np.asarray(model(batch))).sum(-1)[0]
    assert np.unravel_index(moved.argmax(), moved.shape) == (1, 2)


def test_refuses_what_does_not_fit(tmp_path):
    with pytest.raises(ValueError, match=r"\(40, 32, 3\) does not divide into .* 16"):
        vit.vit_ti((40, 32, 3))
    with pytest.raises(ValueError, match="at least 16 pixels"):
        vit.vit_ti((8, 32, 3))
    with pytest.raises(ValueError, match="no ViT 'h'; known: ti, s, b"):
        vit.vit_features(keras.Input((32, 32, 3)), "h")
    with pytest.raises(ValueError, match="patch_size 14 is no stride"):
        vit.vit_features(keras.Input((28, 28, 3)), "ti", 14)
    with pytest.raises(
        ValueError, match="no imagenet weights were published for vit_t"
    ):
        vit.vit_ti((32, 32, 3), weights="imagenet")
    with pytest.raises(ValueError, match="maps of 7 tokens do not fit a grid of 2 x 2"):
        vit.attention_picture(np.zeros((1, 1, 1, 7, 7)), (2, 2))
    images = keras.Input((4,))
    with pytest.raises(ValueError, match="flat has no attention layers: build a ViT"):
        vit.attention_maps(keras.Model(images, images, name="flat"), np.zeros((1, 4)))


def test_weights_of_another_grid_are_refused_by_both_shapes(tmp_path):
    vit.vit_ti((32, 32, 3), 3).save_weights(tmp_path / "x.weights.h5")
    again = vit.vit_ti((32, 32, 3), 3, weights=tmp_path / "x.weights.h5")
    assert again.count_params() == 5_717_416 - 1000 * 193 + 3 * 193 - 192 * (196 - 4)
    with pytest.raises(ValueError, match=r"\(1, 5, 192\).*\(1, 7, 192\)"):
        vit.vit_ti((32, 48, 3), 3, weights=tmp_path / "x.weights.h5")


@pytest.mark.slow
def test_gradients_reach_every_weight():
    import tensorflow as tf

    model = randomised(vit.vit_ti((32, 32, 3), 4, None))
    with tf.GradientTape() as tape:
        loss = keras.ops.sum(model(pictures(32, 32), training=True) ** 2)
    gradients = tape.gradient(loss, [w.value for w in model.trainable_weights])
    for weight, gradient in zip(model.trainable_weights, gradients):
        # A bias of the keys adds the same to all scores, which softmax takes away.
        if not weight.path.endswith("key/bias"):
            assert np.abs(np.asarray(gradient)).max() > 0, weight.path


@pytest.mark.slow
@pytest.mark.parametrize("quantize", ["float32", "int8"])
def test_exports(quantize, tmp_path):
    from kcv.export import convert

    model = randomised(vit.vit_ti((32, 32, 3), 5, None))
    path, images = tmp_path / "vit.tflite", pictures(32, 32, 16)
    # With random weights, int8 may answer anything; of trained ones it is measured.
    bound = {"bound": math.inf} if quantize == "int8" else {}
    convert(model, path, quantize=quantize, calibration=images, **bound)
