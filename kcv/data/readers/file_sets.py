"""Sets whose records are files that belong together: two images, their flow, masks."""

import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kcv.data.readers import flow_files, flow_png
from kcv.data.readers.records import BadRecord, Records, check_bad, fingerprint

IMAGE = ((None, None, 3), "uint8")
FLOW = ((None, None, 2), "float32")
VALUE = ((None, None, 1), "float32")  # depth, disparity
MASK = ((None, None, 1), "uint8")
TEXT = ((), "str")
PAIR_KEYS = {"images": IMAGE, "next_images": IMAGE}
FLOW_KEYS = {**PAIR_KEYS, "flow": FLOW, "flow_valid": MASK}
STEREO_KEYS = {
    **{"images": IMAGE, "right_images": IMAGE},
    **{"disparity": VALUE, "disparity_valid": MASK},
}
DEPTH_KEYS = {"images": IMAGE, "depth": VALUE, "depth_valid": MASK}


def open_files(
    name: str,
    items: Sequence[tuple[str, Mapping]],
    readers: Mapping[str, Callable],
    keys: dict,
    max_bad_share: float,
    class_names: Sequence[str] = (),
) -> Records:
    """Makes `Records` of items that are files, after looking that they are there.

    Args:
        name: What the user opened.
        items: (image_id, {role: path}) of each record.
        readers: {role: function(path) -> {key: array}}; an array of two or more
            dimensions must have the height and width of the others. What a reader has
            in `CHECKS` is checked now, as far as a header tells.
        keys: Of the records, without image_id.
        max_bad_share: Largest share of malformed records.
        class_names: Of the records.

    Raises:
        ValueError: No records, or too many malformed ones.
    """
    good, bad = [], []
    for image_id, files in items:
        try:
            for role, path in files.items():
                check_file(path, f"{role} of {image_id}")
                CHECKS.get(readers[role], os.fspath)(path)
            good.append((image_id, files))
        except BadRecord as error:
            bad.append(str(error))
    check_bad(name, bad, len(items), max_bad_share)
    paths = [path for _, files in good for path in files.values()]

    def read(index):
        image_id, files = good[index]
        record = {"image_id": image_id}
        for role, path in files.items():
            record |= readers[role](path)
        check_same_size(record, next(iter(files.values())))
        return record

    return Records(
        name,
        len(good),
        read,
        {"image_id": TEXT, **keys},
        tuple(class_names),
        fingerprint(paths, *[image_id for image_id, _ in good]),
        tuple(bad),
        max_bad_share,
    )


def check_file(path, what):
    """Raises BadRecord if a file is not there or is empty."""
    try:
        size = os.path.getsize(path)
    except OSError:
        raise BadRecord(
            f"{path}: the {what} is missing: copy it, or remove what belongs to it"
        ) from None
    if not size:
        raise BadRecord(f"{path}: the {what} is empty: copy it again")


def check_same_size(record, path):
    """Raises BadRecord if the maps of a record differ in height or width."""
    sizes = {
        key: value.shape[:2]
        for key, value in record.items()
        if getattr(value, "ndim", 0) >= 2
    }
    if len(set(sizes.values())) > 1:
        raise BadRecord(
            f"{path}: sizes (h, w) differ, {sizes}: take all files from one release"
        )


def check_folder(path, layout):
    """Raises FileNotFoundError, with the layout that is expected, for no folder."""
    if not os.path.isdir(path):
        raise FileNotFoundError(f"no folder {path}: expected {layout}")


def check_choice(name, value, choices):
    """Raises ValueError if an option is none of the choices."""
    if value not in choices:
        raise ValueError(f"{name} {value!r} is not one of {', '.join(choices)}")


def image_as(key):
    """Returns the function that reads a picture under a key."""
    return lambda path: {key: flow_png.read_image(path)}


def read_flo(path):
    """Reads a .flo as {"flow", "flow_valid"}; unknown flow becomes 0."""
    flow = flow_files.read_flo(path)
    valid = flow_files.is_known(flow)
    return {"flow": np.where(valid, flow, np.float32(0)), "flow_valid": valid}


def read_pfm_flow(path):
    """Reads the first two channels of a .pfm as {"flow", "flow_valid"}."""
    values = flow_files.read_pfm(path)
    if values.shape[2] != 3:
        raise BadRecord(f"{path}: a grey .pfm is no flow: take the one of kind PF")
    flow = np.ascontiguousarray(values[..., :2])
    valid = flow_files.is_known(flow)
    return {"flow": np.where(valid, flow, np.float32(0)), "flow_valid": valid}


def read_kitti_flow(path):
    """Reads KITTI's .png as {"flow", "flow_valid"}."""
    flow, valid = flow_png.read_kitti_flow(path)
    return {"flow": flow, "flow_valid": valid}


CHECKS = {read_flo: flow_files.check_flo, read_pfm_flow: flow_files.check_pfm}
