"""Finds the Keras layer that an operator of a .tflite file came from."""

import keras
import numpy as np

from kcv.export import flatbuffer, interpreter
from kcv.export.deviation import deviation
from kcv.export.tflite import all_layers


def known_names(model) -> set[str]:
    """Names of all layers and operations of a Keras 3 or tf_keras model."""
    operations = getattr(model, "operations", [])  # keras.ops calls; Keras 3 only
    return {x.name for x in (*all_layers(model), *operations)}


def name_tensors(file, model, output_name: str) -> list[str]:
    """Gives every tensor a short name and finds its layer.

    The converter joins the names of all fused operations, 100 to 300 bytes for each
    tensor; in a small int8 file they are a tenth of its size. "net_1/relu_1/Relu;
    net_1/bn_1/batchnorm/add_1;net_1/conv_1/convolution" becomes "relu", inputs and
    outputs get the names of the signature, weights, found through their operator, none.

    Args:
        file: what `flatbuffer.parse` returned; its tensors are renamed.
        model: the Keras model it was made from.
        output_name: name of the output where the model returns one tensor.

    Returns:
        For each tensor, through all subgraphs in turn, its layer; "block/conv" inside
        an inner model, "" where none is known.
    """
    graph, known = flatbuffer.read(file), known_names(model)
    steps = getattr(model, "operations", model.layers)
    rank = {step.name: i for i, step in enumerate(steps)}
    layers = []
    for tensor in graph.tensors:
        paths = flatbuffer.layer_path(tensor.name, model.name, known)
        # Of fused layers the last one's output is what the tensor holds.
        paths.sort(key=lambda path: rank.get(path.split("/")[0], -1))
        layers.append(paths[-1] if paths else "")
    for output, layer in _output_layers(model, output_name).items():
        layers[graph.outputs[output]] = layers[graph.outputs[output]] or layer
    for operator in graph.operators:  # the converter's own: as what they work on
        inherited = [layers[i] for i in operator.inputs if layers[i]]
        for i in operator.outputs:
            layers[i] = layers[i] or (inherited[0] if inherited else "")

    ends = {i: name for x in (graph.inputs, graph.outputs) for name, i in x.items()}
    names = []
    for tensor, layer in zip(graph.tensors, layers):
        name = "" if tensor.constant else layer or tensor.name
        names.append(ends.get(tensor.index, name))
    flatbuffer.rename_tensors(file, names)
    return layers


def _output_layers(model, output_name):
    """Output name -> name of the top-level layer that computes it."""
    outputs = model.output
    names = sorted(outputs) if isinstance(outputs, dict) else [output_name]
    # Both Kerases flatten a dict in the order of its keys.
    return {n: t._keras_history[0].name for n, t in zip(names, model.outputs)}


def first_deviation(content, model, layers, probes, bound, mode) -> str:
    """Names the first layer whose values in the file are not those of Keras.

    Compares the last tensor of each top-level layer, in the order of execution. Layers
    that the converter fused away, or that are called twice, can't be compared.

    Args:
        content: bytes of the file.
        model: the Keras model.
        layers: what `name_tensors` returned.
        probes: float32 (n, ...), what the model takes.
        bound: the deviation that counts as a fault.
        mode: see `tflite.MODES`.

    Returns:
        "DEPTHWISE_CONV_2D of layer 'block2_depthwise_relu6', deviation 0.7", or ""
        where no layer inside the model is to blame.
    """
    graph = flatbuffer.read(content)
    produced = {}  # top-level layer -> (its last operator, tensor)
    for operator in graph.operators:
        for index in operator.outputs:
            produced[layers[index].split("/")[0]] = (operator.name, index)
    single = {
        x.name: x
        for x in model.layers
        if len(x._inbound_nodes) == 1 and not isinstance(x, keras.Model)
    }
    names = [name for name in produced if name in single]
    if not names:
        return ""
    outputs = {name: single[name].output for name in names}
    inner = _model_class(model)(model.inputs, outputs)
    expected = inner([probes], training=False)
    actual = [interpreter.all_tensors(content, probe) for probe in probes]
    for name in names:
        operator, index = produced[name]
        reference = np.asarray(expected[name])
        if any(index not in tensors for tensors in actual):
            continue
        values = np.stack([tensors[index] for tensors in actual])
        if values.size != reference.size:
            continue
        error = deviation(reference, values.reshape(reference.shape), mode)
        if not error <= bound:
            return f"{operator} of layer {name!r}, deviation {error:.3g}"
    return ""


def _model_class(model):
    if isinstance(model, keras.Model):
        return keras.Model
    import tf_keras  # takes seconds; only for models trained there

    return tf_keras.Model
