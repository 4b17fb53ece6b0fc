r"""Writes what a layer says of every picture: features to search, compare, classify.

  python -m kcv.tools.features --model=runs/digits --output=features.npz \
      --neighbours=5 --probe

Paper: J. Donahue et al., "DeCAF: A Deep Convolutional Activation Feature for Generic
Visual Recognition", 2013, https://arxiv.org/abs/1310.1531

Ten seconds for the digits. The file has embeddings (n, d), labels, splits, class_names,
paths and made_of, a JSON text. --neighbours also draws test pictures with the training
pictures next to them, --probe fits a linear classifier. A folder of pictures without
class folders works, too: there each picture is compared with all others.
"""

import json
import pathlib

import numpy as np
from absl import flags
from rich.console import Console
from rich.progress import track

from kcv import data, files
from kcv.data.sources import SPLITS
from kcv.tools import model_flags, neighbours, open_pictures, results, script
from kcv.tools.feature_layer import default_layer, feature_network

_F = flags.FLAGS

flags.DEFINE_string("output", "features.npz", "The file to write.")
flags.DEFINE_multi_enum(
    "splits", list(SPLITS), list(SPLITS), "Parts of the data; may be repeated."
)
flags.DEFINE_integer("batch_size", 64, "Pictures at a time.", 1)
flags.DEFINE_integer("neighbours", 0, "Nearest pictures to look at; 0: none.", 0)
flags.DEFINE_integer("queries", 8, "Drawn with neighbours, up to half hard.", 1)
flags.DEFINE_string(
    "picture", None, "Where they are drawn; default: beside --output, .png."
)
flags.DEFINE_bool("probe", False, "Fit a linear classifier to the features.")
flags.adopt_module_key_flags(model_flags)


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {' '.join(argv[1:])}")
    output = pathlib.Path(_F.output)
    if output.suffix != ".npz":
        raise script.UsageError(f"--output={output}: the name must end in .npz")
    picture = pathlib.Path(_F.picture or output.with_suffix(".png"))
    if picture.suffix.lower() != ".png":
        raise script.UsageError(f"--picture={picture}: the name must end in .png")

    # Model.
    opened = model_flags.opened()
    layer = _F.layer or default_layer(opened.model)
    network = feature_network(opened.model, layer)
    print(f"layer {layer}: {network.output.shape[-1]} features a picture", flush=True)

    # Data.
    sources = model_flags.splits(opened, _F.splits)
    if _F.probe and not {"train", "test"} <= set(sources):
        raise ValueError("--probe needs classes, and the splits train and test")
    counts = [f"{name} {source.num_examples:,}" for name, source in sources.items()]
    print(f"{next(iter(sources.values())).name}: {', '.join(counts)}", flush=True)

    # Features.
    found = [features(network, opened, source) for source in sources.values()]
    embeddings, labels = (np.concatenate(rows) for rows in zip(*found))
    splits = np.repeat(list(sources), [len(rows) for _, rows in found])
    first = next(iter(sources.values()))
    paths = [p for source in sources.values() for p in open_pictures.paths_of(source)]
    with files.replacing(output) as hidden:
        np.savez(
            hidden,
            embeddings=embeddings,
            labels=labels,
            splits=splits,
            class_names=np.array(first.class_names, str),
            paths=np.array(paths, str),
            made_of=json.dumps(made_of(opened, layer, sources), sort_keys=True),
        )
    print(f"wrote {output}")

    # What they are good for.
    if _F.neighbours or _F.probe:
        tell(embeddings, labels, splits, sources, picture)


def tell(embeddings, labels, splits, sources, picture):
    """Prints accuracies of neighbours and probe, and draws the neighbours."""
    classes = next(iter(sources.values())).class_names
    queries, known = neighbours.queries_and_known(splits)
    beside = f"of {len(queries):,} right"
    if classes:
        baseline = neighbours.majority_accuracy(labels[queries])
        beside += f"; always the most frequent class: {baseline:.2%}"
    if _F.neighbours:
        rows, cosines = neighbours.nearest(embeddings, queries, known, _F.neighbours)
        if classes:
            accuracy = neighbours.accuracy_of_votes(labels, queries, rows)
            print(f"{_F.neighbours} nearest neighbours: {accuracy:.2%} {beside}")
        neighbours.draw(
            list(sources.values()), labels, queries, rows, cosines, _F.queries, picture
        )
        print(f"wrote {picture}", flush=True)
    if _F.probe:
        accuracy = neighbours.probe(embeddings, labels, queries, known)
        print(f"linear probe: {accuracy:.2%} {beside}")


def features(network, opened, source):
    """Returns float32 (n, d) and int32 (n,), features and labels in natural order."""
    size = (_F.batch_size, opened.image_shape, opened.pixel_range)
    console = Console(stderr=True)
    rows = [
        (network.predict_on_batch(batch["images"]), batch["labels"])
        for batch in track(
            data.batches(source, *size),
            f"reading {source.num_examples:,} pictures",
            data.num_steps(source, _F.batch_size),
            transient=True,
            console=console,
            disable=not console.is_terminal,
        )
    ]
    embeddings, labels = (np.concatenate(parts) for parts in zip(*rows))
    return embeddings.astype("float32"), labels


def made_of(opened, layer, sources):
    """What the features came from, as JSON would have it."""
    return {
        "model": opened.run.get("model", _F.model),
        "path": str(opened.path),
        "weights": opened.weights,
        "layer": layer,
        "image_shape": opened.image_shape,
        "pixel_range": opened.pixel_range,
        "data": next(iter(sources.values())).name,
        "fingerprints": {name: each.fingerprint for name, each in sources.items()},
        "versions": results.versions(),
    }


if __name__ == "__main__":
    script.run(main)
