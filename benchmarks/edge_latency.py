r"""Our exported files against keras.applications through the stock converter.

  python benchmarks/edge_latency.py --models=mobilenet_v1 --models=mobilenet_v2

The same architecture and the same weights on both sides; only the builder and the way
to the .tflite file differ. Both files run in this process, in turn, with one thread.
About a minute a model. Writes results/benchmarks/latency_<model>_<mode>.json: p50 in
milliseconds, and in its details the operators of both files.

The weights are random (batch statistics are those of photographs), so the answers mean
nothing; the time does not depend on them.
"""

import contextlib
import io
import math
import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf
from absl import flags
from ai_edge_litert.interpreter import Interpreter
from skimage import data as photographs

from kcv import export, zoo
from kcv.export import flatbuffer
from kcv.models.pixel_mean import MINUS_MEAN
from kcv.tools import results, script

PEERS = {
    "mobilenet_v1": (keras.applications.MobileNet, {}),
    "mobilenet_v2": (keras.applications.MobileNetV2, {}),
    "mobilenet_v3_small": (
        keras.applications.MobileNetV3Small,
        {"include_preprocessing": False},
    ),
    "mobilenet_v3_large": (
        keras.applications.MobileNetV3Large,
        {"include_preprocessing": False},
    ),
    "resnet50": (keras.applications.ResNet50, {}),
    "densenet121": (keras.applications.DenseNet121, {}),
    "vgg16": (keras.applications.VGG16, {}),
    "inception_v3": (keras.applications.InceptionV3, {}),
}
MODES = ("float32", "int8")
CALLS = 5  # in a row for each side; the first of them is not counted

_MODELS = flags.DEFINE_multi_enum(
    "models", list(PEERS), list(PEERS), "Which models; may be repeated."
)
_MODES = flags.DEFINE_multi_enum("modes", list(MODES), list(MODES), "Which files.")
_SIZE = flags.DEFINE_integer("image_size", 224, "Side of an image, in pixels.")
_ROUNDS = flags.DEFINE_integer("rounds", 40, "Times that the two take turns.")
_RESULTS = flags.DEFINE_string("results", "results", "Folder to write into.")


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    keras.utils.set_random_seed(0)
    images = crops(32, _SIZE.value)
    with tempfile.TemporaryDirectory() as folder:
        for name in _MODELS.value:
            ours, peer = models(name, images)
            for mode in _MODES.value:
                our_file = pathlib.Path(folder, f"{name}_{mode}.tflite")
                export.convert(
                    ours,
                    our_file,
                    quantize=mode,
                    calibration=images,
                    bound=math.inf,  # random weights answer at random
                    allow_constant=True,
                )
                compare(name, mode, our_file.read_bytes(), stock(peer, mode, images))


def compare(name, mode, ours, peer):
    """Times two .tflite files in turn and writes the benchmark."""
    runs = [runner(content) for content in (ours, peer)]
    measured = [[], []]
    for _ in range(_ROUNDS.value):
        for run, milliseconds in zip(runs, measured):
            run()  # brings weights back into the caches
            milliseconds += [run() for _ in range(CALLS - 1)]
    operators = [flatbuffer.read(content).counts() for content in (ours, peer)]
    benchmark = results.benchmark(
        f"latency_{name}_{mode}",
        *(statistics.median(values) for values in measured),
        unit="ms",
        runs=len(measured[0]),
        peer_version=f"keras.applications {keras.__version__}, TFLiteConverter of "
        f"TensorFlow {tf.__version__}",
        note="p50 of one image, one thread, files take turns; lower is better",
        details={
            "image_size": _SIZE.value,
            "operators": dict(zip(("ours", "peer"), operators)),
            "bytes": {"ours": len(ours), "peer": len(peer)},
            "fastest": [round(min(values), 4) for values in measured],
            "p90": [round(float(np.quantile(values, 0.9)), 4) for values in measured],
        },
    )
    results.write_benchmark(benchmark, _RESULTS.value)
    print(
        f"{benchmark['name']}: {benchmark['ours']} ms, stock {benchmark['peer']} ms, "
        f"ratio {benchmark['ratio']}; {sum(operators[0].values())} operators, stock "
        f"{sum(operators[1].values())}"
    )


def runner(content):
    """A function that answers one image and returns its milliseconds."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255 if detail["dtype"] == np.uint8 else 1, detail["shape"])
    interpreter.set_tensor(detail["index"], images.astype(detail["dtype"]))

    def run():
        started = time.perf_counter()
        interpreter.invoke()
        return 1000 * (time.perf_counter() - started)

    run()
    return run


def models(name, images):
    """The two models with the same weights, whose equality is checked."""
    shape = (_SIZE.value, _SIZE.value, 3)
    ours = zoo.build(name, input_shape=shape)
    train = tf.function(lambda: ours(images[:8], training=True))
    for _ in range(20):  # batch statistics; our momentum of 0.9 has them then
        train()
    build, options = PEERS[name]
    peer = build(input_shape=shape, weights=None, **options)
    pairs = zip(ours.get_weights(), peer.get_weights())
    peer.set_weights([weight.reshape(other.shape) for weight, other in pairs])
    theirs = images[:4]
    for layer in ours.layers:
        if layer.name == MINUS_MEAN:
            theirs = theirs + np.array(layer.offset, "float32")
    answers = [ours.predict(images[:4], verbose=0), peer.predict(theirs, verbose=0)]
    if not np.allclose(*answers, atol=1e-5):
        raise ValueError(f"{name} and keras.applications differ with equal weights")
    return ours, peer


def stock(model, mode, images):
    """What the guides of TensorFlow do to get a .tflite file."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if mode == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([row[None]] for row in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8
    with contextlib.redirect_stdout(io.StringIO()):  # lists every variable
        return converter.convert()


def crops(count, size):
    """Random crops of photographs, float32 (count, size, size, 3) in [-1, 1]."""
    rng = np.random.default_rng(0)
    sources = [photographs.astronaut(), photographs.chelsea(), photographs.coffee()]
    images = []
    for i in range(count):
        photograph = sources[i % len(sources)]
        top, left = (rng.integers(side - size) for side in photograph.shape[:2])
        images.append(photograph[top : top + size, left : left + size])
    return (np.stack(images) / 127.5 - 1).astype("float32")


if __name__ == "__main__":
    script.run(main)
