"""Pictures and label maps as annotations see them, and what is wrong with a file.

EXIF orientation. Boxes and masks are coordinates of one of two pictures: of the pixels
as stored, or of the picture turned upright. COCO, VOC, CUB and MPII were annotated at a
time when browsers and Matlab showed stored pixels, and the width and height in COCO's
and VOC's files are the stored ones, so "stored" is the rule for formats with such
files. YOLO labels are "upright": its trainer reads with OpenCV, which turns pictures.
Tools of today may write COCO files of upright pictures: where the annotation says a
size and only the other orientation has it, that orientation is taken. Labels are never
turned, so a stored picture may lie on its side, as in everybody's COCO training.
"""

import os

import numpy as np
from PIL import Image

from kcv.data import preprocess, survey
from kcv.data.readers.records import BadRecord

FORMATS = (*survey.FORMATS, "TIFF")
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_ORIENTATION = 0x0112  # EXIF tag
_TURNED = (5, 6, 7, 8)  # its values that swap width and height
_AGAIN = "copy the file again, or remove the record"


def file_problem(path):
    """Says what is wrong with a file before it is opened, "" if nothing."""
    try:
        size = os.stat(path).st_size
    except (FileNotFoundError, NotADirectoryError):
        return f"no such file in {os.path.dirname(path)}: {_AGAIN}"
    return "" if size else f"empty file: {_AGAIN}"


def read_image(path, size=None, orientation="stored"):
    """Reads any picture as `kcv.data.folder` does: grey, CMYK, alpha, palette, 16 bits.

    Args:
        path: The file.
        size: (height, width) that the annotation says, or None.
        orientation: "stored" or "upright", see the top of this file.

    Returns:
        uint8 (h, w, 3).

    Raises:
        BadRecord: Missing, empty or damaged file, or one of another size.
    """

    def pixels(image):
        orientation_tag = image.getexif().get(_ORIENTATION, 1)
        if not _is_upright(orientation, orientation_tag, image.size, size):
            image.getexif()[_ORIENTATION] = 1
        return preprocess.pillow_upright(image).convert("RGB")

    image = _opened(path, FORMATS, pixels)
    if size is not None and image.shape[:2] != tuple(size):
        raise BadRecord(_size_error(path, image.shape[:2], size, "its annotation"))
    return image


def _is_upright(orientation, tag, stored_size, size):
    """Says whether a picture is to be turned; `stored_size` is (width, height)."""
    if size is None or tag not in _TURNED:
        return orientation == "upright"
    stored = stored_size[::-1] == tuple(size)
    turned = stored_size == tuple(size)
    return turned if stored != turned else orientation == "upright"


def read_label_map(path, size=None):
    """Reads the numbers of a PNG mask: grey of 1 to 16 bits, or indices of a palette.

    Args:
        path: The file.
        size: (height, width) of the picture, or None.

    Returns:
        int32 (h, w).

    Raises:
        BadRecord: Missing or damaged file, a colour picture or another size.
    """

    def pixels(image):
        if image.mode not in ("1", "L", "P") and not image.mode.startswith("I"):
            raise BadRecord(
                f"{path}: a mask of mode {image.mode}, whose pixels are no class"
                " numbers: save it as grey or palette PNG"
            )
        return image

    labels = _opened(path, ("PNG", "TIFF", "BMP"), pixels).astype(np.int32)
    _check_mask_size(path, labels, size)
    return labels


def read_colours(path, size=None):
    """Reads a PNG whose colours are codes, as uint8 (h, w, 3); errors as above."""
    colours = _opened(path, ("PNG",), lambda image: image.convert("RGB"))
    _check_mask_size(path, colours, size)
    return colours


def map_labels(path, labels, table):
    """Looks every number of a label map up.

    Args:
        path: The file, for the message.
        labels: int32 (h, w).
        table: int32 (n,), the class of each number; -1 where a number has no meaning.

    Returns:
        int32 (h, w).

    Raises:
        BadRecord: A number beyond the table or without a meaning.
    """
    inside = (labels >= 0) & (labels < len(table))
    classes = np.where(inside, table[np.where(inside, labels, 0)], -1)
    if (classes < 0).any():
        numbers = np.unique(labels[classes < 0])[:5].tolist()
        raise BadRecord(
            f"{path}: number {', '.join(map(str, numbers))} is no label of this data"
            " set: draw the mask again, or state the classes that it has"
        )
    return classes.astype(np.int32)


def _check_mask_size(path, mask, size):
    if size is not None and mask.shape[:2] != tuple(size):
        raise BadRecord(_size_error(path, mask.shape[:2], size, "its picture"))


def _size_error(path, found, wanted, what):
    return (
        f"{path}: {found[1]} x {found[0]} pixels (width x height), but {what} has"
        f" {wanted[1]} x {wanted[0]}: keep the two of one version, or remove the record"
    )


def _opened(path, formats, convert):
    """Returns the array of convert(open image), or says what is wrong with the file."""
    try:
        with Image.open(path, formats=formats) as image:
            return np.array(convert(image))
    except (BadRecord, MemoryError):
        raise
    except FileNotFoundError:
        raise BadRecord(f"{path}: no such file: {_AGAIN}") from None
    # Pillow raises OSError, SyntaxError, ValueError, ... on damaged files.
    except Exception as error:
        raise BadRecord(f"{path}: {_reason(path, error)}: {_AGAIN}") from None


def _reason(path, error):
    if os.path.isdir(path):
        return "a folder"
    if os.path.getsize(path) == 0:
        return "empty file"
    reason = str(error).replace(str(path), "").split("\n")[0].strip(" '\"")
    reason = "not a picture" if "cannot identify" in reason else reason
    return reason or type(error).__name__
