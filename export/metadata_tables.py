"""Pieces of TFLite Metadata, built with flatbuffers alone.

After the schema at
https://github.com/google-ai-edge/mediapipe/blob/master/mediapipe/tasks/metadata/metadata_schema.fbs
"""

# Enumerations of metadata_schema.fbs.
FEATURE, _IMAGE = 1, 2  # ContentProperties
_RGB, _GRAYSCALE = 1, 3  # ColorSpaceType
_NORMALIZATION = 1  # ProcessUnitOptions


class Byte(int):
    """A value stored in the table itself; all others are offsets."""


def image_input(builder, channels, mean, std):
    """The metadata of the input "images", whose pixels are normalised.

    Args:
        builder: flatbuffers.Builder.
        channels: 3 for RGB, 1 for grey.
        mean: subtracted from pixels in 0..255; one value, or one for each channel.
        std: divides what is left; likewise.
    """
    options = table(builder, 2, {0: floats(builder, mean), 1: floats(builder, std)})
    units = [table(builder, 2, {0: Byte(_NORMALIZATION), 1: options})]
    color = {0: Byte(_RGB if channels == 3 else _GRAYSCALE)}
    content = {0: Byte(_IMAGE), 1: table(builder, 2, color)}
    content, name = table(builder, 3, content), builder.CreateString("images")
    return table(builder, 7, {0: name, 3: content, 4: tables(builder, units)})


def table(builder, num_slots, fields):
    """A table with the values {slot: Byte, or offset of another object}."""
    builder.StartObject(num_slots)
    for slot, value in fields.items():
        if isinstance(value, Byte):
            builder.PrependInt8Slot(slot, int(value), 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
    return builder.EndObject()


def tables(builder, offsets):
    """A vector of tables."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def floats(builder, values):
    """A vector of float32."""
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(float(value))
    return builder.EndVector()
