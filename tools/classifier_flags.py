"""What the scripts of classification share: flags of data and model, and both, made."""

import inspect
from collections.abc import Callable
from typing import NamedTuple

from absl import flags

from kcv import data, zoo
from kcv.layers.activations import ACTIVATIONS
from kcv.models.swap_activations import swap_activations
from kcv.tools import augment_flags, script
from kcv.train import classifier

_F = flags.FLAGS

flags.DEFINE_enum("model", None, zoo.names("classification"), "Name in the zoo.")
flags.DEFINE_string(
    "data", None, "'digits', 'tfds:NAME', or a folder with one folder a class."
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its sets; its own default.")
flags.DEFINE_float(
    "max_bad_share", 0.05, "Share of unreadable files at which to stop.", 0, 1
)
flags.DEFINE_integer("image_size", None, "Pixels a side; the model's own size.", 1)
flags.DEFINE_string(
    "weights", None, "'imagenet', or a file of weights to start from (new head)."
)
flags.DEFINE_enum(
    "activation", None, list(ACTIVATIONS), "In every hidden layer; the model's own."
)
flags.DEFINE_float(
    "auxiliary_weight",
    0,
    "Weight of the losses of auxiliary heads, for training only; the paper's is 0.3.",
    0,
)
flags.DEFINE_enum("loss", "cross_entropy", list(classifier.LOSSES), "Loss.")
flags.DEFINE_float("label_smoothing", 0, "Share of a label spread evenly.", 0, 1)
flags.DEFINE_enum(
    "class_weights", "none", ["none", "balanced"], "Equal sums for rare classes."
)
flags.DEFINE_enum(
    "fill", "reflect", ["reflect", "nearest", "constant"], "Beyond the border."
)
flags.DEFINE_float("mixup", 0, "Alpha of mixup.", 0)
flags.DEFINE_float("cutmix", 0, "Alpha of CutMix.", 0)
flags.mark_flags_as_required(["model", "data"])
flags.adopt_module_key_flags(augment_flags)


class Data(NamedTuple):
    """The data of the flags, ready for a model."""

    splits: dict  # "train", "validation" and "test"
    class_names: list
    image_shape: tuple[int, int, int]
    augment: data.Augment
    batches: Callable  # (split, epoch, start_step=0, replicas=(0, 1, 1)) -> tf.data
    steps: dict[str, int]  # of an epoch


def open_data() -> Data:
    """Opens the three splits of --data at the size that --model will see."""
    splits = {name: open_split(name) for name in ("train", "validation", "test")}
    entry = zoo.entry(_F.model)
    size = _F.image_size or entry.input_shape[0]
    image_shape = (size, size, entry.input_shape[2])
    augment = data.Augment(**{name: _F[name].value for name in data.Augment._fields})

    def batches(split, epoch, start_step=0, replicas=(0, 1, 1)):
        return data.batches(
            splits[split],
            _F.batch_size,
            image_shape,
            entry.pixel_range,
            augment=augment,
            seed=_F.seed,
            epoch=epoch,
            start_step=start_step,
            replicas=replicas,
            service=_F.data_service if split == "train" else None,
        )

    steps = {name: data.num_steps(x, _F.batch_size) for name, x in splits.items()}
    class_names = splits["train"].class_names
    return Data(splits, class_names, image_shape, augment, batches, steps)


def open_split(split):
    """One split of --data."""
    options = {}
    if _F.data.startswith("tfds:"):
        options = {"data_dir": _F.data_dir}
    elif _F.data != "digits":
        options = {"max_bad_share": _F.max_bad_share}
    return data.source(_F.data, split, seed=_F.seed, **options)


def make_model(image_shape, classes, training=False):
    """The model of the flags.

    Args:
        image_shape: (height, width, channels).
        classes: their number.
        training: whether it is made to be trained: with --weights, and with auxiliary
            heads if their losses count.

    Raises:
        script.UsageError: if flags contradict each other or the model.
    """
    options = {}
    if training and _F.auxiliary_weight:
        function = zoo.entry(_F.model).function
        if "auxiliary" not in inspect.signature(function).parameters:
            raise script.UsageError(
                f"--auxiliary_weight={_F.auxiliary_weight}: {_F.model} has no "
                "auxiliary heads; googlenet and inception_v3 have"
            )
        options = {"auxiliary": True}
    if training:
        if _F.weights and _F.activation:
            raise script.UsageError(
                f"--weights={_F.weights} were trained with the model's own activation: "
                "leave out --activation"
            )
        options |= {"weights": _F.weights}
    model = zoo.build(_F.model, input_shape=image_shape, classes=classes, **options)
    for name in model.output_names:
        model.get_layer(name).dtype_policy = "float32"  # exact probabilities
    return swap_activations(model, _F.activation) if _F.activation else model


def make_losses(opened: Data) -> Callable:
    """The `losses(model, batch, training)` of the flags, for `loop.train`."""
    class_weights = None
    if _F.class_weights == "balanced":
        labels = data.labels(opened.splits["train"])
        class_weights = classifier.balanced_class_weights(
            labels, len(opened.class_names)
        )
    return classifier.classification_losses(
        _F.loss, _F.label_smoothing, class_weights, _F.auxiliary_weight
    )
