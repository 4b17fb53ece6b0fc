"""TFLite Metadata of a detector with the post-processing inside.

As `kcv.export.metadata`, whose schema says what the numbers mean. MediaPipe and the
Task Library find the outputs by the names given here, not by their order.
"""

from collections.abc import Sequence

import flatbuffers

from kcv.export.metadata_tables import FEATURE, Byte, image_input, table, tables

# More enumerations of metadata_schema.fbs.
_BOXES = 3  # ContentProperties
_TENSOR_VALUE_LABELS = 3  # AssociatedFileType
_BOUNDARIES = 1  # BoundingBoxType; the CoordinateType is the default, RATIO

CORNERS = (1, 0, 3, 2)  # places of left, top, right and bottom in y1, x1, y2, x2
OUTPUTS = ("location", "category", "score", "number of detections")


def detection_metadata(
    name: str,
    channels: int,
    mean: Sequence[float],
    std: Sequence[float],
    labels_file: str,
) -> bytes:
    """Builds the "TFLITE_METADATA" flatbuffer of a model from an image to detections.

    Args:
        name: name of the model.
        channels: 3 for RGB, 1 for grey.
        mean: subtracted from pixels in 0..255; one value, or one for each channel.
        std: divides what is left; likewise.
        labels_file: associated file with a class per line.

    Returns:
        The finished flatbuffer; the outputs are OUTPUTS, in that order.
    """
    b = flatbuffers.Builder(1024)
    inputs = tables(b, [image_input(b, channels, mean, std)])

    tensors = []
    for output in OUTPUTS:
        kind, properties = FEATURE, table(b, 0, {})
        if output == "location":
            fields = {0: _integers(b, CORNERS), 1: Byte(_BOUNDARIES)}
            kind, properties = _BOXES, table(b, 3, fields)
        content = table(b, 3, {0: Byte(kind), 1: properties})
        fields = {0: b.CreateString(output), 3: content}
        if output == "category":
            file = {0: b.CreateString(labels_file), 2: Byte(_TENSOR_VALUE_LABELS)}
            fields[6] = tables(b, [table(b, 5, file)])
        tensors.append(table(b, 7, fields))
    subgraph = table(b, 10, {2: inputs, 3: tables(b, tensors)})
    fields = {0: b.CreateString(name), 3: tables(b, [subgraph])}
    fields[7] = b.CreateString("1.0.0")  # the oldest parser that reads these fields
    b.Finish(table(b, 8, fields), b"M001")
    return bytes(b.Output())


def _integers(builder, values):
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependUint32(value)
    return builder.EndVector()
