import keras
import numpy as np
import pytest
from residual_checks import pictures, randomize, shapes_only

from kcv.models.detection.rcnn import rcnn_classifier
from kcv.models.detection.sds import sds
from kcv.train.sds import sds_losses

SMALL = {"body": "mobilenet_v1", "alpha": 0.25, "units": 16, "grid": 5}


def inputs(count=2, seed=2):
    grids = np.random.default_rng(seed).uniform(0, 1, (count, 5, 5)).astype("float32")
    return {
        "images": pictures(count, (32, 32), seed),
        "regions": pictures(count, (32, 32), seed + 1),
        "grids": grids,
    }


@pytest.fixture(scope="module")
def model():
    model = sds((32, 32, 3), 3, **SMALL)
    randomize(model, inputs(8))
    return model


def test_parameters_of_the_paper():
    """Two AlexNets up to fc7, a softmax and 10 x 10 logistic regressions a class."""
    with shapes_only():
        model = sds()
    pathway = 60_965_224 - 4097 * 1000
    scores, masks = (8192 + 1) * 21, (8192 + 10 * 10 + 1) * 10 * 10 * 20
    assert 2 * pathway + scores + masks == 130_494_501
    assert model.count_params() == 130_494_501
    shapes = {name: x.shape for name, x in model.output.items()}
    assert shapes == {"scores": (None, 21), "masks": (None, 10, 10, 20)}


def test_each_pathway_is_the_network_of_rcnn(model):
    """And has weights of its own, under paths of their own."""
    assert len({weight.path for weight in model.weights}) == len(model.weights)
    features = keras.Model(model.input, model.get_layer("features").output)
    given = inputs()
    found = np.asarray(features(given))
    assert found.shape == (2, 32) and np.abs(found[:, :16] - found[:, 16:]).max() > 0.1
    halves = {"images": ("box_pathway", 0), "regions": ("region_pathway", 16)}
    for name, (pathway, start) in halves.items():
        other = rcnn_classifier(
            (32, 32, 3), 3, body="mobilenet_v1", alpha=0.25, units=16
        )
        inner = keras.Model(other.input, other.get_layer("fc7").output)
        inner.set_weights(model.get_layer(pathway).get_weights())
        expected = inner(given[name])
        assert np.ptp(expected) > 0.1
        np.testing.assert_allclose(found[:, start : start + 16], expected, rtol=1e-4)


def test_the_regions_mask_tells_of_masks_alone(model):
    given = inputs()
    one, other = model(given), model(given | {"grids": 1 - given["grids"]})
    np.testing.assert_array_equal(one["scores"], other["scores"])
    kernel = model.get_layer("mask_logits").kernel.numpy()[32:]  # behind the features
    change = (1 - 2 * given["grids"]).reshape(2, 25) @ kernel
    np.testing.assert_allclose(
        other["masks"] - one["masks"], change.reshape(2, 5, 5, 3), rtol=1e-3, atol=1e-3
    )


def test_saved_and_loaded_it_says_the_same(model, tmp_path):
    given = inputs()
    expected = model(given)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "x.weights.h5")
    for again in (
        keras.saving.load_model(tmp_path / "model.keras"),
        sds((32, 32, 3), 3, weights=tmp_path / "x.weights.h5", **SMALL),
    ):
        found = again(given)
        assert found.keys() == {"scores", "masks"}
        for name, value in found.items():
            np.testing.assert_array_equal(value, expected[name])


def test_every_weight_learns(model):
    import tensorflow as tf

    batch = inputs(6) | {
        "labels": np.array([0, 1, 2, 3, 1, 0]),
        "mask_classes": np.array([0, 1, 2, 3, 0, 0]),
        "mask_targets": np.tile(np.eye(5, dtype="float32"), (6, 1, 1)),
    }
    weights = model.trainable_weights
    with tf.GradientTape() as tape:
        losses, metrics = sds_losses()(model, batch, training=True)
        total = sum(map(tf.reduce_sum, losses.values()))
    slopes = tape.gradient(total, [w.value for w in weights])
    for weight, slope in zip(weights, slopes):
        assert slope is not None and np.isfinite(slope).all(), weight.path
        assert np.abs(slope).max() > 0, weight.path
    # A region that is not like its object has no mask to learn.
    assert (np.asarray(losses["mask_loss"]) > 0).tolist() == [0, 1, 1, 1, 0, 0]
    assert (np.asarray(losses["class_loss"]) > 0).all()
    assert set(np.asarray(metrics["accuracy"])) <= {0, 1}


@pytest.mark.slow
def test_converts_as_a_model_of_two_crops(model):
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    given = inputs(1)
    specs = [tf.TensorSpec(x.shape, name=k) for k, x in given.items()]
    call = tf.function(lambda *x: model(dict(zip(given, x)), training=False), specs)
    constant = convert_variables_to_constants_v2(call.get_concrete_function())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([constant])
    content = converter.convert()  # with builtin operators alone, or it fails
    file = Interpreter(model_content=content)
    file.allocate_tensors()
    for tensor in file.get_input_details():
        file.set_tensor(tensor["index"], given[tensor["name"]])
    file.invoke()
    found = [file.get_tensor(x["index"]) for x in file.get_output_details()]
    answers = {x.shape: x for x in map(np.asarray, model(given).values())}
    assert sorted(x.shape for x in found) == sorted(answers)
    for value in found:
        np.testing.assert_allclose(value, answers[value.shape], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("size", "options", "wrong"),
    [
        (32, {"body": "lenet"}, "no body 'lenet'; known: alexnet"),
        (31, {}, "at least 32 pixels"),
        (32, {"grid": 0}, "grid=0 must be 1 or more cells"),
    ],
)
def test_what_is_refused(size, options, wrong):
    with shapes_only(), pytest.raises(ValueError, match=wrong):
        sds((size, size, 3), 3, **(SMALL | options))
