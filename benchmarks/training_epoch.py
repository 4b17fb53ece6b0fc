r"""One epoch of training, kcv against stock Keras, on photographs in a JPEG folder.

  python benchmarks/training_epoch.py --modes=disk --models=mobilenet_v1_025

Epochs of both sides take turns in this process, tf.data autotune is off on both. About
three minutes a model for all modes:

  default  photographs are read, flipped, turned, zoomed and recoloured: kcv.data and
           our loop against image_dataset_from_directory, Keras's augmentation layers,
           keras.applications and model.fit, each as it is without further options:
           kcv.data keeps decoded images in memory where they fit, Keras does not
  disk     the same, but both decode the files every epoch
  cached   the same, but both keep the decoded images (Dataset.cache() for Keras)
  step     one batch in memory again and again: model and loop alone
  loop     as step, but both sides train our model: our loop against model.fit

The large models are for the last two; 8 minutes for the four of them:

  python benchmarks/training_epoch.py --modes=step --files=160 --rounds=5 \
      --models=resnet50 --models=densenet121 --models=vgg16 --models=inception_v3

Writes results/benchmarks/training_<mode>_<model>.json, in images/s.
"""

import itertools
import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf
from absl import flags
from PIL import Image
from skimage import data as photographs
from sklearn import datasets

from kcv import zoo
from kcv.data import Augment, batches, num_steps, source
from kcv.tools import results, script
from kcv.train import loop, optimizers, schedules
from kcv.train.classifier import classification_losses

PEERS = {
    "mobilenet_v1_025": lambda **kw: keras.applications.MobileNet(alpha=0.25, **kw),
    "mobilenet_v2_035": lambda **kw: keras.applications.MobileNetV2(alpha=0.35, **kw),
    "resnet50": keras.applications.ResNet50,
    "densenet121": keras.applications.DenseNet121,
    "vgg16": keras.applications.VGG16,
    "inception_v3": keras.applications.InceptionV3,
}
SMALL = ["mobilenet_v1_025", "mobilenet_v2_035"]  # whose epochs are short
MODES = ("default", "disk", "cached", "step", "loop")
IN_MEMORY = ("step", "loop")
RATE = 1e-4  # VGG-16 without weights explodes at more
WIDTH, HEIGHT = 500, 375  # the mean size of an ImageNet photograph

_MODELS = flags.DEFINE_multi_enum("models", SMALL, list(PEERS), "Which models.")
_MODES = flags.DEFINE_multi_enum("modes", list(MODES), list(MODES), "See above.")
_FILES = flags.DEFINE_integer("files", 1000, "Photographs in the folder.")
_SIZE = flags.DEFINE_integer("image_size", 96, "Side of a training image, in pixels.")
_BATCH = flags.DEFINE_integer("batch_size", 32, "Images in a step.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Counted epochs of each side.")
_RESULTS = flags.DEFINE_string("results", "results", "Folder to write into.")

AUGMENT = Augment(flip=True, rotate=10, zoom=0.1, brightness=0.2, contrast=0.2)
LAYERS = (  # the same, in Keras
    lambda: keras.layers.RandomFlip("horizontal"),
    lambda: keras.layers.RandomRotation(10 / 360),
    lambda: keras.layers.RandomZoom(0.1),
    lambda: keras.layers.RandomBrightness(0.2),
    lambda: keras.layers.RandomContrast(0.2),
    lambda: keras.layers.Rescaling(1 / 127.5, offset=-1),
)


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        classes = write_photographs(folder, _FILES.value)
        started = time.perf_counter()
        train = source(folder, "train", cache_dir=folder / "findings")
        first_look = time.perf_counter() - started
        for name, mode in itertools.product(_MODELS.value, _MODES.value):
            compare(name, mode, folder, train, classes, first_look)


def compare(name, mode, folder, train, classes, first_look):
    """Trains both sides in turn and writes the benchmark."""
    keras.utils.set_random_seed(0)
    shape = (_SIZE.value, _SIZE.value, 3)
    steps = num_steps(train, _BATCH.value)
    images = steps * _BATCH.value if mode in IN_MEMORY else train.num_examples
    our_data = our_batches(mode, train, shape, steps)
    peer_data = peer_batches(mode, folder / "train", steps)

    ours = zoo.build(name, input_shape=shape, classes=classes)
    build = zoo.build if mode == "loop" else lambda name, **kw: PEERS[name](**kw)
    peer = build(name, input_shape=shape, classes=classes, weights=None)
    peer.compile(
        optimizer=optimizers.make_optimizer("momentum", RATE),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    clock = EpochClock()

    def peer_epoch(_):
        peer.fit(peer_data, epochs=1, verbose=0, callbacks=[clock])

    with tempfile.TemporaryDirectory() as checkpoints:
        history = loop.train(
            ours,
            classification_losses(),
            optimizers.make_optimizer("momentum", RATE),
            our_data,
            steps_per_epoch=steps,
            epochs=1 + _ROUNDS.value,  # the first one traces and fills the caches
            schedule=schedules.make_schedule("constant", RATE, 1),
            checkpoint_dir=checkpoints,
            checkpoint_seconds=1e9,
            on_epoch=peer_epoch,
        )
    seconds = [[row["seconds"] for row in history[1:]], clock.seconds[1:]]
    write(name, mode, images, seconds, first_look)


def write(name, mode, images, seconds, first_look):
    """Writes the benchmark of two lists of seconds an epoch."""
    peer = "our model" if mode == "loop" else "keras.applications"
    benchmark = results.benchmark(
        f"training_{mode}_{name}",
        *(images / statistics.median(values) for values in seconds),
        unit="images/s",
        runs=_ROUNDS.value,
        peer_version=f"{peer} with model.fit, Keras {keras.__version__}, TensorFlow "
        f"{tf.__version__}",
        note=f"{mode}: {NOTES[mode]}; medians of epochs that take turns, autotune off; "
        "higher is better",
        details={
            "image_size": _SIZE.value,
            "batch_size": _BATCH.value,
            "images": images,
            "epoch_seconds": [[round(s, 3) for s in side] for side in seconds],
            "first_look_seconds": round(first_look, 2),
        },
    )
    results.write_benchmark(benchmark, _RESULTS.value)
    print(
        f"{benchmark['name']}: {benchmark['ours']} images/s, "
        f"Keras {benchmark['peer']}, ratio {benchmark['ratio']}",
        flush=True,
    )


NOTES = {
    "default": "JPEG 500x375, augmented, decoded images in memory for kcv only",
    "disk": "JPEG 500x375 decoded every epoch, augmented",
    "cached": "decoded images in memory on both sides, augmented",
    "step": "one batch in memory, both models and loops",
    "loop": "one batch in memory, our model on both sides",
}


class EpochClock(keras.callbacks.Callback):
    """Seconds of each epoch, without what fit does around them."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):  # noqa: D102
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):  # noqa: D102
        self.seconds.append(time.perf_counter() - self.started)


def our_batches(mode, train, shape, steps):
    """The `data` of `loop.train`."""
    if mode in IN_MEMORY:
        batch = dict(zip(("images", "labels"), one_batch(shape)))
        return lambda epoch, start_step, replicas: _repeated(batch, steps)
    memory = {"cache_bytes": 0} if mode == "disk" else {}
    return lambda epoch, start_step, replicas: batches(
        train,
        _BATCH.value,
        shape,
        (-1.0, 1.0),
        augment=AUGMENT,
        epoch=epoch,
        start_step=start_step,
        replicas=replicas,
        **memory,
    )


def peer_batches(mode, folder, steps):
    """What `model.fit` reads, as the guides of Keras make it."""
    shape = (_SIZE.value, _SIZE.value, 3)
    if mode in IN_MEMORY:
        return _repeated(one_batch(shape), steps)
    data = keras.utils.image_dataset_from_directory(
        folder, image_size=shape[:2], batch_size=_BATCH.value, seed=0, verbose=False
    )
    if mode == "cached":
        data = data.cache()
    augment = keras.Sequential([layer() for layer in LAYERS])
    data = data.map(
        lambda images, labels: (augment(images, training=True), labels),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return _without_autotune(data.prefetch(tf.data.AUTOTUNE))


def one_batch(shape):
    """Images and labels that are always the same."""
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (_BATCH.value, *shape)).astype("float32")
    return images, rng.integers(2, size=_BATCH.value).astype("int32")


def _repeated(batch, steps):
    data = tf.data.Dataset.from_tensors(batch).repeat(steps)
    return _without_autotune(data.prefetch(2))


def _without_autotune(data):
    options = tf.data.Options()
    options.autotune.enabled = False  # its teardown alone can take seconds
    return data.with_options(options)


def write_photographs(folder, count):
    """Writes train/, validation/ and test/ with crops of photographs by class."""
    rng = np.random.default_rng(0)
    china, flower = datasets.load_sample_images().images
    sources = {
        "astronaut": photographs.astronaut(),
        "china": china,
        "coffee": photographs.coffee(),
        "flower": flower,
        "rocket": photographs.rocket(),
    }
    for split, files in (("train", count), ("validation", 5), ("test", 5)):
        for i, (name, photograph) in zip(
            range(files), itertools.cycle(sources.items())
        ):
            path = folder / split / name / f"{i:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            top = rng.integers(photograph.shape[0] - HEIGHT + 1)
            left = rng.integers(photograph.shape[1] - WIDTH + 1)
            crop = photograph[top : top + HEIGHT, left : left + WIDTH]
            Image.fromarray(crop).save(path, quality=90)
    return len(sources)


if __name__ == "__main__":
    script.run(main)
