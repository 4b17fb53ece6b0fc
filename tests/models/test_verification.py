import keras
import numpy as np
import pytest
from keras.layers import BatchNormalization
from sklearn.datasets import load_digits

from kcv.metrics import verification as metrics
from kcv.models.classification import verification

RNG = np.random.default_rng(0)


def small(classes=5, **kwargs):
    kwargs = {"alpha": 0.25, "embedding": 16, "scale": 16.0, "margin": 0.3, **kwargs}
    return verification.arcface((32, 32, 3), classes, **kwargs)


def pictures(count=4, channels=3):
    return RNG.uniform(-1, 1, (count, 32, 32, channels)).astype("float32")


def settled(model, images):
    """With batch statistics: without them a fresh network's maps vanish."""
    norms = [la for la in model.layers if isinstance(la, BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
    model(images, training=True)
    return model


def test_parameters():
    """Pencil: MobileNetV1's body, 3x3 maps to 512 numbers, batch norm, directions."""
    head = 3 * 3 * 1024 * 512 + 4 * 512 + 512 * 1000
    with keras.StatelessScope(initialize_variables=False):
        model = verification.arcface()
    assert model.count_params() == 4_253_864 - 1025 * 1000 + head == 8_461_504
    assert model.layers[-1].name == "predictions"


def test_embeddings_have_length_1_and_make_the_answer():
    images = pictures()
    model = settled(small(classifier_activation=None), images)
    network = verification.embedding_network(model)
    embeddings = np.asarray(network(images))
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)
    kernel = np.asarray(model.get_layer("angular_margin").kernel)
    wanted = 16 * embeddings @ (kernel / np.linalg.norm(kernel, axis=0))
    np.testing.assert_allclose(model(images), wanted, atol=1e-4)


def test_margin_lowers_the_right_class_alone():
    images = pictures()
    model = settled(small(classifier_activation=None), images)
    trained = verification.with_margin(model)
    labels = np.array([0, 1, 2, 3])
    logits = np.asarray(trained({"images": images, "labels": labels}))
    plain = np.asarray(model(images))
    right = np.eye(5, dtype=bool)[labels]
    np.testing.assert_allclose(logits[~right], plain[~right], atol=1e-4)
    assert np.all(logits[right] < plain[right] - 0.1)
    assert trained.count_params() == model.count_params()


def test_saves_and_loads(tmp_path):
    images = pictures()
    model = settled(small(), images)
    expected = np.asarray(model(images))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(images), expected)
    model.save_weights(tmp_path / "x.weights.h5")
    again = small(weights=tmp_path / "x.weights.h5")
    np.testing.assert_allclose(again(images), expected, atol=1e-6)


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="at least 32 pixels"):
        verification.arcface((31, 32, 3))
    images = keras.Input((4,))
    other = keras.Model(images, images, name="other")
    for function in (verification.with_margin, verification.embedding_network):
        with pytest.raises(ValueError, match="other has no layers 'embeddings'"):
            function(other)


def digits():
    """0 to 6 in 32x32, grey: pictures and labels to learn from, and others."""
    data = load_digits()
    known = data.target < 7
    images = (data.images[known] / 8 - 1).astype("float32")[..., None]
    images, labels = images.repeat(4, axis=1).repeat(4, axis=2), data.target[known]
    return (images[:1000], labels[:1000]), (images[1000:], labels[1000:])


@pytest.mark.slow
def test_tells_new_pictures_apart():
    """Pairs of pictures that it has not seen; of unknown people the recipe speaks."""
    keras.utils.set_random_seed(0)
    (images, labels), (others, other_labels) = digits()
    model = verification.arcface(
        (32, 32, 1), 7, None, alpha=0.25, embedding=32, margin=0.3, scale=16.0
    )
    network = verification.embedding_network(model)
    indices, same = metrics.pairs(other_labels, 2000)

    def error():
        embeddings = np.asarray(network(others, training=False))
        return metrics.equal_error_rate(same, metrics.similarities(embeddings, indices))

    assert error() > 0.3
    trained = verification.with_margin(model)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(keras.optimizers.Adam(2e-3), loss, jit_compile=False)
    before = [w.copy() for w in model.get_weights()]
    trained.fit({"images": images, "labels": labels}, labels, 64, 8, verbose=0)
    after = model.get_weights()
    assert all(np.any(old != new) for old, new in zip(before, after))
    assert error() < 0.25


@pytest.mark.slow
@pytest.mark.parametrize("quantize", ["float32", "int8"])
@pytest.mark.parametrize("part", ["classifier", "embedding"])
def test_exports(quantize, part, tmp_path):
    from kcv.export import convert

    model = settled(small(classifier_activation=None), pictures(32))
    if part == "embedding":
        model = verification.embedding_network(model)
    # Random weights: all operators are integers, but the directions are chance.
    bound = {"bound": 1.0} if quantize == "int8" else {}
    convert(
        model,
        tmp_path / "x.tflite",
        quantize=quantize,
        calibration=pictures(16),
        **bound,
    )
