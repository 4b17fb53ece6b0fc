"""Walking the graph of a Keras 3 functional model: what every rewrite stands on."""

import collections

import keras


def functional(model):
    """Returns the functional graph of a Functional or a built Sequential model.

    Raises:
        ValueError: the model is subclassed or not built, so it has no graph to walk.
    """
    if isinstance(model, keras.Sequential):
        model = model._functional  # None before the first build
    if not hasattr(model, "_run_through_graph"):
        raise ValueError(
            f"{getattr(model, 'name', model)!r} has no graph to walk: make it a "
            "functional keras.Model, or build the Sequential with a keras.Input."
        )
    return model


def replay(model, inputs, call):
    """Walks a model in topological order, once for each call of a layer.

    Args:
        model: functional or built Sequential Keras 3 model.
        inputs: one value for each of model.inputs, of any kind `call` understands.
        call: call(operation, *args, **kwargs) returns that operation's outputs; the
            operation is a layer, a sub-model or a keras.ops operation of the model.

    Returns:
        The outputs, in the model's own structure (a tensor, a list or a dict).
    """
    return functional(model)._run_through_graph(inputs, lambda op: op, call)


def copy_inputs(model):
    """Returns fresh keras.Inputs in the model's own input structure."""
    return keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name),
        functional(model)._inputs_struct,
    )


def nodes(model):
    """Returns the nodes (calls) of a model, first to last, without its inputs."""
    by_depth = functional(model)._nodes_by_depth
    return [
        node
        for depth in sorted(by_depth, reverse=True)
        for node in by_depth[depth]
        if node.operation and not node.is_input
    ]


def consumers(model):
    """Returns {id of a tensor: number of calls and model outputs that read it}."""
    count = collections.Counter()
    for node in nodes(model):
        count.update(id(tensor) for tensor in node.input_tensors)
    count.update(id(tensor) for tensor in functional(model).outputs)
    return count


def calls(model):
    """Returns {id of an operation: number of its calls inside the model}."""
    return collections.Counter(id(node.operation) for node in nodes(model))


def leaf_operations(model):
    """Returns {unique name: layer or keras.ops operation}, sub-models opened.

    An operation keeps its own name where that is free (outer ones come first); inside
    a sub-model it is <sub-model>_<name> otherwise. Shared ones are listed once.

    Raises:
        ValueError: even so, two have the same name.
    """
    found, seen = {}, set()
    _collect(model, "", found, seen)
    return found


def _collect(model, prefix, found, seen):
    submodels = []
    for node in nodes(model):
        operation = node.operation
        if id(operation) in seen:
            continue
        seen.add(id(operation))
        if isinstance(operation, keras.Model):
            submodels.append(operation)
            continue
        name = operation.name
        name = prefix + name if name in found else name
        if name in found:
            raise ValueError(f"two layers are named {name!r}: rename one of them.")
        found[name] = operation
    for submodel in submodels:
        _collect(submodel, f"{prefix}{submodel.name}_", found, seen)
