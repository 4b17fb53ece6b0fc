import keras
import numpy as np

from kcv.models.foundations.mlp import mlp

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32").reshape(4, 1, 2, 1)


def test_back_propagation_by_hand():
    """Pencil: the worked example of a linear 2-2-1 network without biases.

    Hidden (2*.11 + 3*.21, 2*.12 + 3*.08) = (.85, .48), prediction .85*.14 + .48*.15 =
    .191. With the loss (prediction - 1)^2 / 2 its derivative is -.809, so at rate 0.05
    w5 = .14 + .05*.809*.85 = .1744 and w1 = .11 + .05*.809*.14*2 = .1213, and so on.
    """
    model = mlp((1, 2, 1), 1, None, hidden=(2,), activation=None)
    hidden, output = model.get_layer("hidden1"), model.get_layer("predictions")
    hidden.set_weights([np.array([[0.11, 0.12], [0.21, 0.08]]), np.zeros(2)])
    output.set_weights([np.array([[0.14], [0.15]]), np.zeros(1)])
    image = np.array([2.0, 3.0], "float32").reshape(1, 1, 2, 1)
    hidden_values = keras.Model(model.input, hidden.output)(image)
    np.testing.assert_allclose(hidden_values, [[0.85, 0.48]], rtol=1e-6)
    np.testing.assert_allclose(model(image), [[0.191]], rtol=1e-6)

    half_squared_error = lambda target, y: keras.ops.sum((y - target) ** 2) / 2  # noqa: E731
    model.compile(keras.optimizers.SGD(0.05), half_squared_error, run_eagerly=True)
    model.train_on_batch(image, np.array([[1.0]], "float32"))
    w1_to_w4 = hidden.get_weights()[0].T.ravel()
    np.testing.assert_allclose(
        w1_to_w4, [0.121326, 0.226989, 0.1321350, 0.0982025], rtol=1e-5
    )
    np.testing.assert_allclose(
        output.get_weights()[0].ravel(), [0.1743825, 0.169416], rtol=1e-5
    )
    np.testing.assert_allclose(w1_to_w4, [0.12, 0.23, 0.13, 0.10], atol=0.005)


def test_solves_xor():
    keras.utils.set_random_seed(0)
    model = mlp((1, 2, 1), 2, hidden=(8,), activation="tanh")
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.05), loss, jit_compile=False)
    labels = np.array([0, 1, 1, 0])
    model.fit(np.tile(XOR, (50, 1, 1, 1)), np.tile(labels, 50), 4, 4, verbose=0)
    probabilities = np.asarray(model(XOR))
    np.testing.assert_array_equal(probabilities.argmax(1), labels)
    assert probabilities.max(1).min() > 0.9


def test_hidden_layers_are_the_argument():
    model = mlp((4, 4, 1), 3, hidden=(5, 6, 7), activation="sigmoid")
    assert [d.units for d in model.layers[2:]] == [5, 6, 7, 3]
    assert model.get_layer("hidden2").activation is keras.activations.sigmoid
