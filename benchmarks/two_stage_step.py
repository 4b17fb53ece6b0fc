r"""Where a training step of a detector of two stages spends its time.

  python benchmarks/two_stage_step.py

Faster R-CNN on a pyramid of ResNet-50, as kcv.train.loop trains it. Each part is the
difference of two graphs, the second of which goes one part further; they take turns.
Three minutes. Writes results/benchmarks/two_stage_step_<model>.json: the whole step in
milliseconds and, in the details, its parts.
"""

import statistics
import time

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from kcv import zoo
from kcv.models.detection.stages import feature_maps, head_of
from kcv.tools import results, script
from kcv.train import detector, optimizers
from kcv.train.batch_norm import training_batch_norm

# What each graph has beyond the one before; the last also updates the weights.
PARTS = ("body", "proposals", "rois", "roi_head", "losses", "backward")

_MODEL = flags.DEFINE_string("model", "faster_rcnn_fpn", "Of the zoo.")
_SIZE = flags.DEFINE_integer("image_size", 256, "Side of an image, in pixels.")
_BATCH = flags.DEFINE_integer("batch_size", 2, "Images a step.")
_OBJECTS = flags.DEFINE_integer("objects", 8, "In an image.")
_ROIS = flags.DEFINE_integer("rois", 128, "That the second stage learns from.")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Times that the graphs take turns.")
_OPTIONS = flags.DEFINE_list("options", [], "Of the builder, as alpha=0.25,body=x.")
_PARTS = flags.DEFINE_multi_enum(
    "parts", list(PARTS), list(PARTS), "After which a graph ends; the last is needed."
)
_RESULTS = flags.DEFINE_string("results", "results", "Folder to write into.")


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    keras.utils.set_random_seed(0)
    shape = (_SIZE.value, _SIZE.value, 3)
    options = dict(option.split("=") for option in _OPTIONS.value)
    options = {k: float(v) if k == "alpha" else v for k, v in options.items()}
    model = zoo.build(_MODEL.value, input_shape=shape, classes=20, **options)
    graph = detector.METHODS["two_stage"].graph(model, rois=_ROIS.value)
    batch = some_batch()
    with training_batch_norm(graph, tf.distribute.get_strategy()):
        wanted = {*_PARTS.value, PARTS[-1]}
        runs = steps(model, graph, batch)
        runs = {part: run for part, run in runs.items() if part in wanted}
        milliseconds = {part: [] for part in runs}
        for run in runs.values():  # traces
            run()
        for _ in range(_ROUNDS.value):
            for part, run in runs.items():
                started = time.perf_counter()
                run()
                milliseconds[part].append(1000 * (time.perf_counter() - started))
    until = {part: statistics.median(values) for part, values in milliseconds.items()}
    fastest = {part: min(values) for part, values in milliseconds.items()}
    benchmark = results.benchmark(
        f"two_stage_step_{_MODEL.value}",
        until["backward"],
        None,
        unit="ms",
        runs=_ROUNDS.value,
        note=f"p50 of a training step of {_BATCH.value} images of {_SIZE.value} px and "
        f"{_ROIS.value} RoIs each, TensorFlow on all cores; parts are differences of "
        "graphs that take turns; no peer",
        details={
            "p50_by_part": differences(until),
            "fastest_by_part": differences(fastest),
            "fastest": round(fastest["backward"], 1),
            "parameters": model.count_params(),
            "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
        },
    )
    path = results.write_benchmark(benchmark, _RESULTS.value)
    print(f"{benchmark['ours']} ms: {differences(until)}; wrote {path}")


def differences(until):
    """What each part adds to the part before, by name, in milliseconds."""
    values = list(until.values())
    return {
        part: round(value - before, 1)
        for part, value, before in zip(until, values, [0.0, *values])
    }


def some_batch():
    """Random pictures and objects, as kcv.train.detector takes them."""
    rng = np.random.default_rng(0)
    count, side, objects = _BATCH.value, _SIZE.value, _OBJECTS.value
    low = rng.uniform(0, 0.6 * side, (count, objects, 2))
    sizes = rng.uniform(0.1 * side, 0.4 * side, (count, objects, 2))
    batch = {
        "images": rng.uniform(-1, 1, (count, side, side, 3)).astype("float32"),
        "boxes": np.concatenate([low, low + sizes], axis=-1).astype("float32"),
        "classes": rng.integers(0, 20, (count, objects)).astype("int32"),
        "crowd": np.zeros((count, objects), "int32"),
    }
    return {name: tf.constant(value) for name, value in batch.items()}


def steps(model, graph, batch):
    """{part: function without arguments} that runs all up to the end of the part."""
    inputs = {name: batch[name] for name in graph.input}
    regions = head_of(model).get_layer("regions").output
    head = head_of(model)
    pooled = keras.Model(head.input, regions)
    rois = graph.output["rois"]
    maps = {name: x for name, x in feature_maps(model).items() if name in head.input}
    parts = {
        "body": list(feature_maps(model).values()),
        "proposals": graph.get_layer("training_proposals").output,
        "rois": pooled({**maps, "proposals": rois}),
        "roi_head": graph.output,
    }
    losses = detector.detector_losses("two_stage", None)
    optimizer = optimizers.make_optimizer("sgd", 1e-4)
    variables = graph.trainable_variables
    optimizer.build(variables)

    def total():
        terms, _ = losses(graph, batch, training=True)
        return tf.add_n([tf.reduce_mean(term) for term in terms.values()])

    def forward(outputs):
        part = keras.Model(graph.input, outputs)
        run = tf.function(lambda: part(inputs, training=True))
        # A number of each output: all of it is computed, and little is copied.
        return lambda: [tf.reduce_sum(tf.cast(x, tf.float32)).numpy()
                        for x in keras.tree.flatten(run())]  # fmt: skip

    @tf.function
    def learn():
        with tf.GradientTape() as tape:
            loss = total()
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    loss = tf.function(total)
    return {
        **{part: forward(outputs) for part, outputs in parts.items()},
        "losses": lambda: loss().numpy(),
        "backward": lambda: learn().numpy(),
    }


if __name__ == "__main__":
    script.run(main)
