import signal
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcv.train import classifier, loop, optimizers, schedules

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(24, 6, 6, 1)).astype("float32")
LABELS = (np.arange(24) % 3).astype("int32")


def build():
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((6, 6, 1), name="images")
    x = keras.layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2")(x)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.Flatten()(x)
    outputs = keras.layers.Dense(3, activation="softmax", name="predictions")(x)
    return keras.Model(inputs, outputs)


def data(epoch, start_step, replicas):
    batches = tf.data.Dataset.from_tensor_slices({"images": IMAGES, "labels": LABELS})
    return batches.batch(8).skip(start_step)


def train(model, folder, epochs=2, rate=0.1, **options):
    return loop.train(
        model,
        classifier.classification_losses(),
        optimizers.make_optimizer("momentum", rate),
        data,
        steps_per_epoch=3,
        epochs=epochs,
        schedule=schedules.make_schedule("constant", rate, epochs),
        checkpoint_dir=folder,
        **options,
    )


def test_equals_keras_fit(tmp_path):
    """Oracle: compile and fit on the same batches end at the same weights."""
    ours, theirs = build(), build()
    history = train(ours, tmp_path)
    theirs.compile(
        keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy",
        jit_compile=False,
    )  # fmt: skip
    expected = theirs.fit(
        data(0, 0, None).map(lambda x: (x["images"], x["labels"])),
        epochs=2,
        shuffle=False,
        verbose=0,
    )
    for weight, other in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(weight, other, rtol=2e-5, atol=2e-6)
    # Keras reports the loss with the L2 penalty, the loop without.
    assert [row["epoch"] for row in history] == [1, 2]
    assert history[1]["loss"] < history[0]["loss"] < expected.history["loss"][0]


def test_means_are_over_the_examples_of_uneven_batches():
    model = build()
    losses = classifier.classification_losses()

    def uneven(epoch, start_step, replicas):
        rows = tf.data.Dataset.from_tensor_slices({"images": IMAGES, "labels": LABELS})
        return rows.batch(20)  # 20 and 4

    means = loop.make_evaluate(model, losses, uneven, 2)()
    outputs = model(IMAGES).numpy()
    expected = -np.log(outputs[np.arange(24), LABELS]).mean()
    np.testing.assert_allclose(means["loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(means["accuracy"], (outputs.argmax(-1) == LABELS).mean())


def test_frozen_layers_stay_and_their_batch_norm_is_fixed(tmp_path):
    model = build()
    for layer in model.layers[:-1]:
        layer.trainable = False
    before = model.get_weights()
    train(model, tmp_path)
    moved = [np.any(a != b) for a, b in zip(before, model.get_weights())]
    assert moved == [False] * 6 + [True, True]


def test_a_finished_run_returns_its_history(tmp_path):
    model, other = build(), build()
    history = train(model, tmp_path)
    calls = []
    again = train(other, tmp_path, on_step=calls.append)
    assert again == history
    assert calls == []
    for weight, expected in zip(other.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(weight, expected)


def test_an_interrupted_epoch_keeps_its_seconds(tmp_path):
    """Half a second was spent before the interruption, none worth telling after it."""

    def stop(progress):
        time.sleep(0.5)
        if progress.step == 1:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(loop.Interrupted, match="step 1 of 3"):
        train(build(), tmp_path, epochs=1, on_step=stop)
    (row,) = train(build(), tmp_path, epochs=1)
    assert row["seconds"] > 0.5


def test_checkpoint_of_another_model_is_refused(tmp_path):
    train(build(), tmp_path)
    x = inputs = keras.Input((6, 6, 1))
    x = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(x))
    with pytest.raises(ValueError, match="is of another model or optimizer"):
        train(keras.Model(inputs, x), tmp_path)


def test_clip_norm_bounds_the_step(tmp_path):
    """With plain SGD at rate 1 a step is the gradient: its norm is the limit."""
    model = build()
    before = [v.numpy() for v in model.trainable_variables]
    loop.train(
        model,
        classifier.classification_losses(),
        optimizers.make_optimizer("sgd", 1.0),
        data,
        steps_per_epoch=1,
        epochs=1,
        schedule=lambda epoch, history: 1.0,
        checkpoint_dir=tmp_path,
        clip_norm=0.01,
    )
    after = [v.numpy() for v in model.trainable_variables]
    norm = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(after, before)))
    np.testing.assert_allclose(norm, 0.01, rtol=1e-3)


def test_xla_compiles_the_same_step(tmp_path):
    plain, compiled = build(), build()
    train(plain, tmp_path / "plain", epochs=1)
    train(compiled, tmp_path / "compiled", epochs=1, jit_compile=True)
    for weight, other in zip(compiled.get_weights(), plain.get_weights()):
        np.testing.assert_allclose(weight, other, rtol=1e-4, atol=1e-5)


def test_progress_tells_position_and_means(tmp_path):
    seen = []

    def on_step(progress):
        seen.append((progress.epoch, progress.step, set(progress.read())))

    train(build(), tmp_path, on_step=on_step)
    names = {"loss", "accuracy"}
    assert seen == [(e, s, names) for e in range(2) for s in (1, 2, 3)]
