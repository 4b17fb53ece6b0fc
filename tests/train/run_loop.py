"""A small training run as a process of its own, for the tests of the loop.

`run_loop.py OUTPUT_DIR [key=value ...]`; prints a JSON line with the history and a
digest of the weights.
"""

import hashlib
import json
import os
import pathlib
import resource
import sys
import time

options = {
    "strategy": "default",
    "devices": 1,
    "epochs": 2,
    "optimizer": "momentum",
    "rate": 0.1,
    "clip_norm": 0.0,
    "checkpoint_seconds": 0.0,
    "dropout": 0.0,
    "die_at": -1,  # kill -9 at this global step
    "die_rank": 0,
    "pause": 0.0,
    "examples": 37,  # 5 batches of 8, 8, 7, 7, 7; 7 over 4 replicas is 2, 2, 2, 1
    "batch": 8,
    "poison": -1,  # the loss of this step is infinite
    "file_bytes": -1,  # no file may be larger
}
for text in sys.argv[2:]:
    key, value = text.split("=")
    options[key] = type(options[key])(value)
resource.setrlimit(resource.RLIMIT_FSIZE, (options["file_bytes"],) * 2)

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from kcv.train import loop, optimizers, schedules  # noqa: E402
from kcv.train.strategy import make_strategy  # noqa: E402

if options["devices"] > 1:
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * options["devices"],
    )
strategy = make_strategy(options["strategy"])
rank = json.loads(os.environ.get("TF_CONFIG", '{"task": {"index": 0}}'))["task"][
    "index"
]
batch, examples = options["batch"], options["examples"]
steps = -(-examples // batch)
rng = np.random.default_rng(0)
IMAGES = rng.normal(size=(examples, 8, 8, 1)).astype("float32")
LABELS = (IMAGES.mean((1, 2, 3)) > 0).astype("int32")


def data(epoch, start_step, replicas):
    first, count, total = replicas
    order = np.random.default_rng(epoch).permutation(examples)

    def batches():
        for step in range(start_step, steps):
            rows = np.array_split(order, steps)[step]
            for part in np.array_split(rows, total)[first : first + count]:
                gain = np.inf if epoch * steps + step == options["poison"] else 1
                yield {
                    "images": IMAGES[part],
                    "labels": LABELS[part],
                    "gain": np.float32(gain),
                }

    signature = {
        "images": tf.TensorSpec((None, 8, 8, 1), tf.float32),
        "labels": tf.TensorSpec((None,), tf.int32),
        "gain": tf.TensorSpec((), tf.float32),
    }
    return tf.data.Dataset.from_generator(batches, output_signature=signature)


def losses(model, batch, training):
    outputs = model(batch["images"], training=training)
    labels = batch["labels"]
    right = keras.ops.cast(keras.ops.argmax(outputs, -1), "int32") == labels
    loss = keras.ops.sparse_categorical_crossentropy(labels, outputs) * batch["gain"]
    return {"cross_entropy": loss}, {"accuracy": keras.ops.cast(right, "float32")}


def on_step(progress):
    time.sleep(options["pause"])
    if options["die_at"] == progress.epoch * steps + progress.step and (
        options["die_rank"] == rank
    ):
        os.kill(os.getpid(), 9)


keras.utils.set_random_seed(1)
with strategy.scope():
    x = inputs = keras.Input((8, 8, 1), name="images")
    x = keras.layers.Conv2D(4, 3, kernel_regularizer="l2")(x)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.Flatten()(keras.layers.ReLU()(x))
    x = keras.layers.Dropout(options["dropout"], seed=3)(x)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    try:
        history = loop.train(
            model,
            losses,
            optimizers.make_optimizer(options["optimizer"], options["rate"], 1e-3),
            data,
            steps_per_epoch=steps,
            epochs=options["epochs"],
            schedule=schedules.make_schedule("cosine", options["rate"], 4),
            checkpoint_dir=pathlib.Path(sys.argv[1]) / "checkpoints",
            validate=loop.make_evaluate(model, losses, data, steps),
            checkpoint_seconds=options["checkpoint_seconds"],
            clip_norm=options["clip_norm"] or None,
            on_step=on_step,
        )
    except (ValueError, KeyboardInterrupt) as error:
        print(json.dumps({"error": str(error), "kind": type(error).__name__}))
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 1)
    if rank == 0:
        from kcv.train.checkpoint import local_value

        weights = [local_value(v) for v in model.variables]
        digest = hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest()
        total = float(sum(np.abs(w.astype("float64")).sum() for w in weights))
        for row in history:
            row.pop("seconds")
            row.pop("waiting")
        print(json.dumps({"history": history, "digest": digest, "total": total}))
