"""What `measure` has to know about a detector; of the form of task_classification."""

import keras
import numpy as np
from keras import ops

from kcv import edge, zoo
from kcv.data import joint, objects
from kcv.edge import boxes, detect, detected
from kcv.tools import data_options, finished_run
from kcv.train import detector, instances
from kcv.viz.detected import save_detected

METRIC = "ap50"  # of boxes; see `metric_of`
NO_QAT = ""
NO_QAT_OF_STAGES = (
    "No quantisation-aware training: proposals and regions, between the networks of "
    "the int8 file, have no gradient; its latency is that of whole answers, with what "
    "NumPy does between the networks."
)
AT_ONCE = 16  # images that are evaluated at a time


def two_stages(run) -> bool:
    """Whether a run's model makes proposals, so that its int8 file is in parts."""
    method = zoo.entry(run["model"]).method
    return detector.METHODS[method].offsets == "regions"


def metric_of(run) -> str:
    """METRIC of boxes, or of masks or keypoints where the model makes them."""
    keys = _keys(run)
    return instances.PREFIXES[keys[0]] + METRIC if keys else METRIC


def network(model):
    """The model that is exported: suppression is the device's.

    Of two stages, what a device needs of all its answers.

    Raises:
        ValueError: it gets its proposals from outside.
    """
    if isinstance(model.input, dict):
        raise ValueError(
            f"{model.name} gets its proposals from outside, which a file of images "
            "cannot: only detectors with a region proposal network are measured"
        )
    unused = ("proposal_scores", "proposal_offsets")
    kept = {name: x for name, x in model.output.items() if name not in unused}
    if len(kept) == len(model.output):
        return model
    return keras.Model(model.input, kept, name=model.name)


def batches(run, split, **options):
    """The batches of a split as the run saw them, without transformations."""
    flags = run["flags"]
    known = data_options.parse(flags["options"])
    name = flags["test_split"] if split == "test" else split
    source = objects.open_split(run["data"], name, flags["seed"], _keys(run), **known)
    finished_run.checked(source, run, split)
    size = (flags["batch_size"], run["image_shape"], run["pixel_range"])
    options = {"slots": flags["slots"], **options}
    found = objects.batches(source, *size, seed=flags["seed"], **options)
    return joint.as_words(found, run["words"][split]) if "words" in run else found


def examples(batch):
    """(images, targets) of a batch: class, crowd and box, float32 (b, slots, 6)."""
    kinds = np.stack([batch["classes"], batch["crowd"]], axis=-1).astype("float32")
    return batch["images"], np.concatenate([kinds, batch["boxes"]], axis=-1)


def loss(run):
    """The function (targets, outputs) -> (b,) that the run was trained with."""
    entry, decoding = _decoding(run)
    losses = detector.METHODS[entry.method].losses

    def summed(targets, outputs):
        truth = {
            "classes": ops.cast(targets[..., 0], "int32"),
            "crowd": targets[..., 1],
            "boxes": targets[..., 2:],
        }
        return sum(losses(decoding, truth, outputs).values())

    return summed


def split(run, name):
    """All of a split as {key: array}."""
    keys = ("images", *detector.KEYS, *_keys(run))
    return dict(zip(keys, finished_run.whole_split(run, name, batches, keys)))


def evaluate(run, test):
    """Returns the function (predict) -> metric that the gate calls."""
    _, decoding = _decoding(run)
    keys, classes = _keys(run), len(run["labels"])

    def measure(predict):
        metrics = {}
        for start in range(0, len(test["images"]), AT_ONCE):
            some = {key: x[start : start + AT_ONCE] for key, x in test.items()}
            found = _detections(decoding, predict(some.pop("images")), run["labels"])
            instances.add(metrics, some, found, classes, keys)
        return instances.precisions(metrics, [METRIC])[metric_of(run)]

    return measure


def baseline(run):
    """The metric of one who answers with the objects of the image before."""
    return run["test"][f"baseline_{metric_of(run)}"]


def export_options(run):
    """Arguments of `convert`."""
    options = finished_run.export_options(run, zoo.entry(run["model"]))
    decoding = {"decoding": detect.to_json(_decoding(run)[1])}
    return options | {"task": "detection", "extra": decoding}


def draw_answers(path, test, run, picture, count=12):
    """Draws test images, spread over the split, with the answers of a file."""
    size = len(test["images"])
    chosen = np.linspace(0, size - 1, min(count, size)).astype(int)
    found = edge.load(path).outputs(test["images"][chosen])
    truths = {key: test[key][chosen] for key in ("boxes", "classes")}
    found = _detections(_decoding(run)[1], found, run["labels"])
    places = (run["labels"], picture, run["pixel_range"])
    save_detected(test["images"][chosen], found, truths, *places)


def _decoding(run):
    entry = zoo.entry(run["model"])
    shapes = run["anchor_shapes"]
    places = (run["image_shape"], shapes, run.get("parents", ()))
    return entry, detector.decoding_of(entry, *places)


def _keys(run):
    return detector.METHODS[zoo.entry(run["model"]).method].keys


def _detections(decoding, outputs, labels):
    """What the device makes of outputs: lists of arrays, as `CocoMetric` takes them."""
    found = {}
    for i in range(len(outputs["offsets"])):
        one = {name: x[i] for name, x in outputs.items()}
        decoded = detect.decode(decoding, one)
        chosen = boxes.choose(
            *decoded,
            score_threshold=detector.LEAST_SCORE,
            output_size=detector.MOST,
            candidates=4 * detector.MOST,
        )
        sizes = (decoding.image_size, decoding.image_size)
        things = detected.things(*sizes, labels, decoded, chosen, one)
        for name, values in _arrays(things, one, decoding.image_size).items():
            found.setdefault(name, []).append(values)
    return found


def _arrays(things, outputs, size):
    """The things of an image as arrays; none are arrays, too."""
    shapes = {"boxes": (4,), "scores": (), "classes": ()}
    if "masks" in outputs:
        shapes["masks"] = size
    if "keypoints" in outputs:
        shapes["keypoints"] = (outputs["keypoints"].shape[-1], 3)
    fields = {"boxes": "box", "scores": "score", "classes": "index", "masks": "mask"}
    found = {}
    for name, shape in shapes.items():
        kind = {"classes": "int64", "masks": "uint8"}.get(name, "float32")
        values = [getattr(thing, fields.get(name, name)) for thing in things]
        found[name] = np.array(values, kind).reshape(len(things), *shape)
    return found
