"""Detectors of two stages as one file of several networks, each of which can be int8.

    report = convert_stages(model, "int8.tflite", calibration=images, evaluate=ap50)

Proposals and RoIAlign lose the places of boxes in int8. So the file is that of the
first stage, images to maps and the RPN's answers, with what is behind the regions in
further .tflite files in the ZIP behind it (`unzip` gives them to a compiler); what lies
between them is done by `kcv.edge` in float, after kcv.json. R-FCN has no weights behind
its regions, and so no second part.
"""

import hashlib
import os
import pathlib

from kcv.boxes.coding import SSD_VARIANCES
from kcv.edge import detect, model_file, stages
from kcv.edge.detect_staged import StagedDetector
from kcv.export import checks, inputs, metadata
from kcv.export.errors import ExportError
from kcv.export.files import check_writable, write_atomically
from kcv.export.manifest import describe_images, manifest, signature
from kcv.export.prove import keras_predictor, prove
from kcv.export.regions import part_inputs, stages_of
from kcv.export.report import Report, activation_ranges
from kcv.models.detection.stages import head_stage, proposal_stage


def convert_stages(
    model,
    path: str | os.PathLike,
    *,
    quantize: str | None = "int8",
    calibration=None,
    probes=None,
    evaluate=None,
    budget: float = 0.01,
    minimum: float | None = None,
    metric: str = "ap50",
    higher_is_better: bool = True,
    bound: float | None = None,
    labels=(),
    normalization: tuple = (127.5, 127.5),
    model_name: str | None = None,
    hashes: dict[str, str] | None = None,
    extra: dict | None = None,
    boxes: int | None = None,
    instances: int = 8,
) -> Report:
    """Writes a proven file of a detector of two stages, or raises and writes nothing.

    Each part goes through the gate's checks by itself: operators, integers, and
    equality with Keras, of a head on the regions that the images give. The whole is
    judged by the metric.

    Args:
        model: of a builder with a region proposal network, or loaded.
        path: the file to write; missing folders are made.
        quantize: as for `convert`; each part is of this kind. The image of an int8 file
            is uint8, regions and what heads say are int8.
        calibration: as for `convert`.
        probes: likewise.
        evaluate: likewise; its function (images) -> outputs gives those of the model,
            the file's masks or keypoints being those of `StagedDetector.outputs`.
        budget: likewise.
        minimum: likewise.
        metric: likewise.
        higher_is_better: likewise.
        bound: likewise, of each part.
        labels: likewise.
        normalization: likewise.
        model_name: likewise.
        hashes: likewise.
        extra: likewise, but for "decoding", which is made here.
        boxes: that one call of the RoI head takes; None: all proposals of an image.
        instances: boxes that one call of a head for masks or keypoints takes.

    Returns:
        What was measured; operators and bytes are those of all parts.

    Raises:
        ExportError: a part can't be converted, or it or the whole failed a check; the
            part is named.
        ValueError: an argument is wrong, or the model is not of two such stages.
    """
    path, mode = pathlib.Path(path), quantize or "float32"
    between = stages_of(model, boxes, instances)
    check_writable(path)
    known = (calibration, probes, labels, normalization, "detection")
    given = inputs.gather(model, mode, *known)
    name, labels = model_name or model.name, list(labels)

    # Each part by itself.
    proven = _parts(model, mode, between, given, bound, (name, labels))
    main, heads = proven["proposals"], [*proven.items()][1:]
    parts = {f"{head}.tflite": of for head, of in heads}
    content = {part: of.content for part, of in parts.items()}

    # The whole.
    said = manifest(model, name, "detection", mode, main.graph, given, labels, hashes)
    said["parts"] = {part: _described(of) for part, of in parts.items()}
    how = detect.Decoding("softmax", "regions", None, given.shape[:2], SSD_VARIANCES)
    decoding = detect.to_json(how) | {"stages": stages.to_json(between)}
    said |= (extra or {}) | {"decoding": decoding}
    if evaluate:
        whole = metadata.append_files(main.content, labels, said, content)
        file = StagedDetector(model_file.parse(path, whole))
        metrics = {"name": metric, "higher_is_better": higher_is_better}
        metrics["keras"] = float(evaluate(keras_predictor(model, "output", 16)))
        metrics["file"] = float(evaluate(file.outputs))
        checks.check_metric(metrics, budget, minimum)
        said["metrics"] = metrics
    whole = metadata.append_files(main.content, labels, said, content)
    write_atomically(path, whole)
    return Report(
        path,
        len(whole),
        mode,
        _counts(proven.values()),
        _parity(proven),
        main.bound,
        said["metrics"],
        [x for of in proven.values() for x in activation_ranges(of.graph, of.layers)],
        said,
    )


def _parts(model, mode, between, given, bound, names):
    """{"proposals": Proven, "roi_head": ...}, as many heads as have weights."""
    io, head_io = inputs.io_type(mode, None), "int8" if mode == "int8" else "float32"
    described = {"describe": describe_images(names[0], mode, io, given, names[1])}
    images = (inputs.with_both_ends(given), given.probes)
    first = ("proposals", proposal_stage(model), mode, io, *images)
    proven = {"proposals": _prove(*first, {"bound": bound, **described})}
    others = None if given.probes is given.calibration else given.probes
    pictures = {"calibration": given.calibration, "probes": others}
    for head, of in part_inputs(model, between, pictures).items():
        real = of.get("calibration")
        stage = head_stage(model, between.heads[head].boxes, head)
        rest = (head, stage, mode, head_io, real, of.get("probes", real))
        proven[head] = _prove(*rest, {"bound": bound, "batch_size": 1})
    return proven


def _prove(part, model, mode, io, calibration, probes, options):
    """`prove`, whose errors name the part."""
    try:
        return prove(model, mode, io, calibration, probes, **options)
    except ExportError as error:
        raise ExportError(f"part {part!r}: {error}") from error


def _described(part):
    """What kcv.json says of a part."""
    digest = hashlib.sha256(part.content).hexdigest()
    return {"sha256": digest, "signature": signature(part.graph)}


def _parity(proven):
    """{"part: output": deviation}."""
    return {
        f"{part}: {output}": value
        for part, of in proven.items()
        for output, value in of.parity.items()
    }


def _counts(parts):
    """Number of operators by name, of all parts."""
    counts = [part.graph.counts() for part in parts]
    names = sorted({name for count in counts for name in count})
    return {name: sum(count.get(name, 0) for count in counts) for name in names}
