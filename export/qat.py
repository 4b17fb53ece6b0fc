"""Quantisation-aware training: weights learn to live on 256 levels.

    trained = train_quantization_aware(model, batches, epochs=3, learning_rate=1e-4)
    kcv.export.convert(trained, "model.tflite", quantize="int8", probes=images)
    bridge.weights_back(trained, model)

Paper: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018, https://arxiv.org/abs/1712.05877

The model is rebuilt in tf_keras with the fake quantisers of
tensorflow-model-optimization, and every quantiser stands where the TFLite file will
round: on kernels, on the input and on what an integer operator writes. So the trained
model already answers as the file will; `quantization_plan` says where that is.

Differs from the paper: ranges start from calibration, not from -6 and 6, so that the
first evaluation is as good as post-training quantisation.
"""

from collections.abc import Callable, Iterable

import keras
import tensorflow as tf

from kcv.export import bridge, fold
from kcv.export.fine_tune import fine_tune, images_of
from kcv.export.quantization_plan import Plan, must_fold
from kcv.export.quantizers import ActivationQuantizer, start_weight_ranges
from kcv.export.tfmot import QuantizeLayer


def train_quantization_aware(
    model: keras.Model,
    batches: Callable[[int], Iterable],
    *,
    epochs: int,
    learning_rate: float,
    input_range: tuple[float, float] = (-1.0, 1.0),
    loss: Callable | None = None,
    on_step: Callable[[int, float], None] | None = None,
    calibration_batches: int = 8,
):
    """Trains a copy of a model with its int8 rounding simulated.

    Args:
        model: trained functional Keras 3 model of one image input; left as it is.
            `bridge.weights_back(result, model)` brings the weights home.
        batches: function of the epoch's number, from 0, to its batches: {"images":
            float32 (b, h, w, c), "labels": int (b,)} or pairs of the two.
        epochs: passes over the batches.
        learning_rate: the first step's, falling to zero along a cosine; a tenth or a
            hundredth of what the model was trained with.
        input_range: what the darkest and the brightest pixel become.
        loss: function (labels, outputs) -> (b,); default: cross-entropy between int
            labels and probabilities.
        on_step: called as on_step(steps done, loss of the step).
        calibration_batches: how many batches the ranges start from.

    Returns:
        The trained tf_keras model. `kcv.export.convert(it, ..., quantize="int8")`
        needs no calibration.

    Raises:
        ValueError: a layer cannot be quantized, there is no batch, or the loss is not
            a finite number.
    """
    trained = quantization_aware(model, input_range=input_range)
    calibrate(trained, take(batches(0), calibration_batches))
    fine_tune(
        trained,
        batches,
        epochs=epochs,
        learning_rate=learning_rate,
        loss=loss,
        on_step=on_step,
    )
    return trained


def quantization_aware(model: keras.Model, *, input_range=(-1.0, 1.0)):
    """Returns the tf_keras model that simulates the int8 file of a Keras 3 model.

    Batch normalisation stays beside an ordinary convolution, so that it goes on
    learning; after others it is folded into the kernel first.

    Args:
        model: functional or built Sequential Keras 3 model; left as it is.
        input_range: (lowest, highest) value of the inputs, (-1, 1) for example.

    Returns:
        A tf_keras model whose ranges are still unknown: see `calibrate`.

    Raises:
        ValueError: a layer that has no int8 form here, by name.
    """
    model = fold.fold_batch_norm(model, only=must_fold)
    plan = Plan(model)
    quantized = bridge.assemble(model, plan.layers, inputs=plan.inputs(input_range))
    for layer in quantized.layers:
        start_weight_ranges(layer)
    return quantized


def calibrate(model, batches: Iterable) -> None:
    """Sets the ranges of all activations to what they are on real images.

    Args:
        model: from `quantization_aware`.
        batches: images, float32 (b, h, w, c), or batches as for training.

    Raises:
        ValueError: there is no batch.
    """
    quantizers = [
        layer.quantizer
        for layer in model.layers
        if isinstance(layer, QuantizeLayer)
        and isinstance(layer.quantizer, ActivationQuantizer)
    ]
    count = 0
    for quantizer in quantizers:
        quantizer.calibrating = True  # read at each call: the loop is eager
    try:
        for batch in batches:
            model(tf.constant(images_of(batch)), training=False)
            count += 1
    finally:
        for quantizer in quantizers:
            quantizer.calibrating = False
    if count == 0:
        raise ValueError("no batch to calibrate with: give at least one.")


def take(batches, count):
    """Yields the first `count` of any iterable."""
    for _, batch in zip(range(count), batches):
        yield batch
