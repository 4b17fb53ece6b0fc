"""Fine-tuning: which layers learn."""

import keras


def train_head_only(model: keras.Model):
    """Freezes all layers but the last one with weights, the classifier.

    A frozen batch norm works with its stored statistics, as at inference.
    """
    *body, head = [layer for layer in model.layers if layer.weights]
    for layer in body:
        layer.trainable = False
    head.trainable = True


def unfreeze_from(model: keras.Model, stage: str):
    """Lets the layers from `stage` on learn, and no layer before it.

    Args:
        model: layers are taken in their order in the model.
        stage: "all", or the start of a layer's name, such as "block12": the first layer
            so named and all after it.

    Raises:
        ValueError: if no layer is so named; lists the stages.
    """
    layers = [layer for layer in model.layers if layer.weights]
    names = [layer.name for layer in layers]
    start = 0
    if stage != "all":
        start = next((i for i, n in enumerate(names) if n.startswith(stage)), None)
    if start is None:
        stages = dict.fromkeys(name.split("_")[0] for name in names)
        raise ValueError(
            f"no layer of {model.name} starts with {stage!r}; its stages are "
            f"all, {', '.join(stages)}"
        )
    for i, layer in enumerate(layers):
        layer.trainable = i >= start
