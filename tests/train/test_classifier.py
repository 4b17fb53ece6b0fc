import json

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from kcv.train import classifier, freeze, optimizers, run_folder, strategy

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], "float32")


def fixed_model(images, training):
    return PROBABILITIES


def test_losses_by_hand():
    """-ln 0.7 and -ln 0.3; the first answer is right, the second is not."""
    losses = classifier.classification_losses()
    batch = {"images": None, "labels": np.array([0, 1], "int32")}
    values, metrics = losses(fixed_model, batch, training=True)
    np.testing.assert_allclose(values["cross_entropy"], [0.35667, 1.20397], rtol=1e-4)
    np.testing.assert_array_equal(metrics["accuracy"], [1, 0])


def test_smoothing_and_class_weights_count_in_training_only():
    """Smoothing 0.3 over 3 classes: 0.8 on the label, 0.1 on each other one."""
    losses = classifier.classification_losses(
        label_smoothing=0.3, class_weights=[2.0, 0.5, 1.0]
    )
    batch = {"images": None, "labels": np.array([0, 1], "int32")}
    values, _ = losses(fixed_model, batch, training=True)
    logs = -np.log(PROBABILITIES)
    first = 0.8 * logs[0, 0] + 0.1 * logs[0, 1] + 0.1 * logs[0, 2]
    second = 0.1 * logs[1, 0] + 0.8 * logs[1, 1] + 0.1 * logs[1, 2]
    np.testing.assert_allclose(
        values["cross_entropy"], [2 * first, 0.5 * second], rtol=1e-4
    )
    values, _ = losses(fixed_model, batch, training=False)
    np.testing.assert_allclose(values["cross_entropy"], [0.35667, 1.20397], rtol=1e-4)


def test_auxiliary_heads_count_in_training_only():
    heads = {"predictions": PROBABILITIES, "auxiliary": PROBABILITIES[::-1]}
    losses = classifier.classification_losses(auxiliary_weight=0.3)
    batch = {"images": None, "labels": np.array([0, 1], "int32")}
    values, metrics = losses(lambda images, training: heads, batch, training=True)
    np.testing.assert_allclose(values["cross_entropy"], [0.35667, 1.20397], rtol=1e-4)
    expected = -0.3 * np.log([0.1, 0.2])
    np.testing.assert_allclose(values["auxiliary"], expected, rtol=1e-4)
    np.testing.assert_array_equal(metrics["accuracy"], [1, 0])
    values, _ = losses(lambda images, training: heads, batch, training=False)
    assert list(values) == ["cross_entropy"]


def test_mixed_images_have_the_mixture_of_two_losses():
    losses = classifier.classification_losses()
    batch = {
        "images": None,
        "labels": np.array([0, 1], "int32"),
        "labels_b": np.array([2, 1], "int32"),
        "mix": np.array([0.25, 1.0], "float32"),
    }
    values, _ = losses(fixed_model, batch, training=True)
    logs = -np.log(PROBABILITIES)
    expected = [0.25 * logs[0, 0] + 0.75 * logs[0, 2], logs[1, 1]]
    np.testing.assert_allclose(values["cross_entropy"], expected, rtol=1e-4)


def test_perceptron_loss_is_the_margin_of_the_wrong_answer():
    """Right answers cost nothing; ln(0.6 / 0.3) for the wrong one."""
    losses = classifier.classification_losses("perceptron")
    batch = {"images": None, "labels": np.array([0, 1], "int32")}
    values, _ = losses(fixed_model, batch, training=True)
    np.testing.assert_allclose(values["perceptron"], [0, np.log(2)], atol=1e-6)


def test_balanced_weights_equal_scikit_learn():
    labels = np.repeat([0, 1, 3], [5, 20, 3])
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=labels)
    actual = classifier.balanced_class_weights(labels, 4)
    np.testing.assert_allclose(actual, [expected[0], expected[1], 0, expected[2]])


def test_loss_errors():
    with pytest.raises(ValueError, match="no loss 'hinge'; known: cross_entropy"):
        classifier.classification_losses("hinge")
    with pytest.raises(ValueError, match="no label smoothing"):
        classifier.classification_losses("perceptron", label_smoothing=0.1)


def small_model():
    x = inputs = keras.Input((4,))
    for name in ("stem", "block1_a", "block1_b", "block2", "predictions"):
        x = keras.layers.Dense(4, name=name)(x)
    return keras.Model(inputs, x, name="small")


def trainable(model):
    return [layer.name for layer in model.layers if layer.trainable_weights]


def test_freezing_by_stages():
    model = small_model()
    freeze.train_head_only(model)
    assert trainable(model) == ["predictions"]
    freeze.unfreeze_from(model, "block1")
    assert trainable(model) == ["block1_a", "block1_b", "block2", "predictions"]
    freeze.unfreeze_from(model, "all")
    assert len(trainable(model)) == 5
    with pytest.raises(ValueError, match="its stages are all, stem, block1, block2"):
        freeze.unfreeze_from(model, "block9")


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_every_optimizer_takes_a_step_downhill(name):
    optimizer = optimizers.make_optimizer(name, 0.1, weight_decay=0.01)
    weight = keras.Variable([2.0, -3.0], name="kernel")
    optimizer.build([weight])
    optimizer.apply([2 * weight.value], [weight])  # of the bowl x^2
    assert np.all(np.abs(weight.numpy()) < [2.0, 3.0])


def test_weight_decay_leaves_biases_alone():
    optimizer = optimizers.make_optimizer("sgd", 0.1, weight_decay=0.5)
    kernel = keras.Variable([1.0], name="kernel")
    bias = keras.Variable([1.0], name="bias")
    optimizer.build([kernel, bias])
    optimizer.apply([np.zeros(1, "float32")] * 2, [kernel, bias])
    np.testing.assert_allclose(kernel.numpy(), 0.95)
    np.testing.assert_allclose(bias.numpy(), 1.0)


def test_unknown_names_list_the_known_ones(monkeypatch):
    with pytest.raises(ValueError, match="no optimizer 'lamb'; known: sgd, momentum"):
        optimizers.make_optimizer("lamb", 0.1)
    with pytest.raises(ValueError, match="no strategy 'magic'; known: default"):
        strategy.make_strategy("magic")
    monkeypatch.setenv("TF_CONFIG", "{not json")
    with pytest.raises(ValueError, match="needs the environment variable TF_CONFIG"):
        strategy.make_strategy("multi_worker")
    monkeypatch.setenv(
        "TF_CONFIG",
        json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"index": 1}}),
    )
    with pytest.raises(ValueError, match="task index 1, but 1 workers"):
        strategy.make_strategy("multi_worker")


def test_a_folder_belongs_to_one_recipe(tmp_path):
    recipe = {"model": "mlp", "rate": 0.1, "milestones": ("0.5",)}
    run_folder.claim(tmp_path / "run", recipe)
    run_folder.claim(tmp_path / "run", dict(recipe))
    with pytest.raises(ValueError, match=r"rate=0.1 there, 0.2 here\); give another"):
        run_folder.claim(tmp_path / "run", recipe | {"rate": 0.2})
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot write into .* give another --output_dir"):
        run_folder.claim(tmp_path / "file" / "run", recipe)


def test_history_as_csv(tmp_path):
    path = tmp_path / "history.csv"
    run_folder.write_history(
        path, [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]
    )
    assert path.read_text() == "epoch,loss\n1,0.5\n2,0.25\n"
