"""A detector in parts to check with NumPy, written without TensorFlow.

The first part gives the same map and answers at its anchors for every picture; the
heads are matrix products of regions.
"""

import hashlib
import io
import json
import zipfile

import numpy as np
import tiny_tasks
import tiny_tflite

from kcv.edge import detect, model_file, stages

SIZE, BINS, CHANNELS, CLASSES, POINTS = (8, 8), 2, 3, 2, 2
RNG = np.random.default_rng(0)
MAP = RNG.normal(size=(4, 4, CHANNELS)).astype("float32")  # at a stride of 2
ANCHORS = np.float32(
    [[0, 0, 4, 4], [4, 0, 8, 4], [0, 4, 4, 8], [4, 4, 8, 8], [0, 0, 4.5, 4]]
)
FOUND = {
    "proposal_scores": np.float32([3, 1, 0, 2, 2.5]),
    "proposal_offsets": np.zeros((5, 4), "float32"),
}
PROPOSALS = ANCHORS[[0, 4, 3]]  # the last, on a level of its own, is not suppressed
KERNELS = {
    "scores": RNG.normal(0, 1, (BINS * BINS * CHANNELS, 1 + CLASSES)),
    "offsets": RNG.normal(0, 0.2, (BINS * BINS * CHANNELS, CLASSES * 4)),
    "masks": RNG.normal(0, 2, (BINS * BINS * CHANNELS, 4 * CLASSES)),
    "keypoints": RNG.normal(0, 2, (BINS * BINS * CHANNELS, 4 * POINTS)),
}
SHAPES = {  # of one box
    "scores": (1 + CLASSES,),
    "offsets": (CLASSES, 4),
    "masks": (2, 2, CLASSES),
    "keypoints": (2, 2, POINTS),
}
DECODING = detect.Decoding("softmax", "regions", None, SIZE, (0.1, 0.1, 0.2, 0.2))
OUTPUTS = {
    "roi_head": ("scores", "offsets"),
    "mask_head": ("masks",),
    "keypoint_head": ("keypoints",),
}


def head(names, boxes):
    """Bytes and signature of a network from regions to outputs."""
    graph, shape = tiny_tflite._Graph(), (1, boxes, BINS, BINS, CHANNELS)
    given = graph.tensor("regions", shape, "float32")
    flat = graph.reshape(given, "flat", (boxes, BINS * BINS * CHANNELS))
    made, said = {}, {}
    for name in names:
        kernel = np.float32(KERNELS[name].T)
        weights = graph.tensor(f"{name}_w", kernel.shape, "float32", data=kernel)
        shift = np.zeros(len(kernel))
        bias = graph.tensor(f"{name}_b", shift.shape, "float32", data=shift)
        row = graph.tensor(f"{name}_s", (boxes, len(kernel)), "float32")
        graph.fully_connected(flat, weights, bias, row)
        whole = (1, boxes, *SHAPES[name])
        made[name] = graph.reshape(row, name, whole)
        said[name] = {"shape": list(whole), "dtype": "float32"}
    described = {"regions": {"shape": list(shape), "dtype": "float32"}}
    content = graph.finish({"regions": given}, made)
    return content, {"inputs": described, "outputs": said}


def between(more=(), boxes=2):
    """What lies between the parts."""
    of = stages.Regions("align", BINS, {"C4": 2}, 1, boxes=boxes)
    heads = {"roi_head": of, **{name: of._replace(boxes=1) for name in more}}
    return stages.Stages([ANCHORS[:4], ANCHORS[4:]], SIZE, 3, 10, 0.7, heads)


def write(path, more=(), change=None, damage=(), left_out=()):
    """Writes a whole file and returns its path.

    Args:
        path: to write.
        more: heads beside "roi_head".
        change: function that changes kcv.json in place.
        damage: parts whose last byte is changed.
        left_out: parts that are not in the ZIP.
    """
    outputs = {"C4": MAP, **FOUND}
    said = detect.to_json(DECODING) | {"stages": stages.to_json(between(more))}
    tiny_tasks.detector(path, outputs, said, ["cat", "dog"])
    model, parts = model_file.read(path), {}
    manifest = model.manifest | {"parts": {}}
    for name in ("roi_head", *more):
        content, signature = head(OUTPUTS[name], 2 if name == "roi_head" else 1)
        digest = hashlib.sha256(content).hexdigest()
        part = {"sha256": digest, "signature": signature}
        manifest["parts"][f"{name}.tflite"] = part
        parts[f"{name}.tflite"] = content
    if change:
        change(manifest)
    stream = io.BytesIO(model.flatbuffer)
    with zipfile.ZipFile(stream, "a") as archive:
        for name in parts.keys() - {*left_out}:
            content = bytearray(parts[name])
            content[-1] ^= name in damage
            archive.writestr(name, bytes(content))
        archive.writestr("kcv.json", json.dumps(manifest))
    path.write_bytes(stream.getvalue())
    return path
