"""The optimisers by their names."""

import keras

# Batch gradient descent is "sgd" with a batch of all the images.
OPTIMIZERS = {
    "sgd": lambda **kw: keras.optimizers.SGD(**kw),
    "momentum": lambda **kw: keras.optimizers.SGD(momentum=0.9, **kw),
    "nesterov": lambda **kw: keras.optimizers.SGD(momentum=0.9, nesterov=True, **kw),
    "adagrad": lambda **kw: keras.optimizers.Adagrad(**kw),
    "adadelta": lambda **kw: keras.optimizers.Adadelta(**kw),
    "rmsprop": lambda **kw: keras.optimizers.RMSprop(rho=0.9, momentum=0.9, **kw),
    "adam": lambda **kw: keras.optimizers.Adam(**kw),
}


def make_optimizer(name: str, learning_rate: float, weight_decay: float = 0.0):
    """Makes the optimiser `name`.

    Args:
        name: a key of OPTIMIZERS.
        learning_rate: the rate it starts with; the training loop sets it at every step.
        weight_decay: share of each weight that a step of rate 1 takes away, decoupled
            from the gradient (I. Loshchilov, F. Hutter, "Decoupled Weight Decay
            Regularization", 2019, https://arxiv.org/abs/1711.05101). Biases and
            batch-norm weights are left out.

    Raises:
        ValueError: if the name is unknown.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"no optimizer {name!r}; known: {', '.join(OPTIMIZERS)}")
    optimizer = OPTIMIZERS[name](
        learning_rate=learning_rate, weight_decay=weight_decay or None
    )
    if weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
