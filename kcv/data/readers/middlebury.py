"""Middlebury's stereo pairs of 2014 with true disparity, and the motorcycle at hand.

Paper: Scharstein et al., High-Resolution Stereo Datasets with Subpixel-Accurate Ground
Truth, 2014, https://vision.middlebury.edu/stereo/data/scenes2014. A pair is flow too:
a pixel of the left image is `disparity` pixels further left in the right one.
"""

import pathlib
import re
from typing import NamedTuple

import numpy as np

from kcv.data.readers import file_sets, flow_files
from kcv.data.readers.records import BadRecord, Records, check_bad, fingerprint

TASKS = ("stereo", "flow", "depth")


class Calibration(NamedTuple):
    """Of a rectified pair; focal length and offset in pixels, baseline in metres.

    `offset` is by how much the right principal point lies further right than the left.
    """

    focal: float
    offset: float
    baseline: float


# As scikit-image states: the calibration of 2014, divided by four like the pictures.
MOTORCYCLE = Calibration(focal=994.978, offset=31.086, baseline=0.193001)


def motorcycle(task="stereo"):
    """Gives Middlebury's motorcycle at 500 x 741, which scikit-image's wheel holds.

    Args:
        task: "stereo": right_images, disparity, disparity_valid; "flow": next_images,
            flow, flow_valid; "depth": depth, depth_valid. All have images.

    Returns:
        `Records` of one record.

    Raises:
        FileNotFoundError: This scikit-image lacks the files.
        ValueError: An unknown task.
    """
    file_sets.check_choice("task", task, TASKS)
    import skimage

    # Not through skimage.data: that would download what is not there.
    folder = pathlib.Path(skimage.__file__).parent / "data"
    paths = [folder / f"motorcycle_{name}" for name in _MOTORCYCLE_FILES]
    if not all(path.is_file() for path in paths):
        raise FileNotFoundError(
            f"no {paths[0]}: scikit-image {skimage.__version__} does not bring it;"
            " install 0.26"
        )

    def read(index):
        left, right = [file_sets.image_as("x")(path)["x"] for path in paths[:2]]
        with np.load(paths[2]) as file:
            disparity = file["arr_0"].astype(np.float32)[..., None]
        record = _as_task(task, left, right, disparity, MOTORCYCLE)
        return {"image_id": "motorcycle", **record}

    keys = {"image_id": file_sets.TEXT, **_KEYS[task]}
    return Records("motorcycle", 1, read, keys, (), fingerprint(paths, task))


_MOTORCYCLE_FILES = ("left.png", "right.png", "disp.npz")


def open_split(path, split=None, *, task="stereo", max_bad_share=0.01):
    """Opens a folder of scenes: SCENE/im0.png, im1.png, disp0.pfm and calib.txt.

    Args:
        path: Folder of scenes, or one with folders of scenes for each split, such as
            MiddEval3's trainingH and testH, whose truth is named disp0GT.pfm.
        split: Name of a folder in PATH, or None for PATH itself.
        task: As of `motorcycle`; "depth" needs calib.txt.
        max_bad_share: Largest share of malformed scenes.

    Returns:
        `Records`.

    Raises:
        FileNotFoundError: No such folder.
        ValueError: An unknown task, no scenes, or too many malformed ones.
    """
    file_sets.check_choice("task", task, TASKS)
    root = pathlib.Path(path, split or ".")
    file_sets.check_folder(root, "SCENE/im0.png, im1.png, disp0.pfm, calib.txt in it")
    good, bad = [], []
    scenes = sorted(entry for entry in root.iterdir() if entry.is_dir())
    for scene in scenes:
        try:
            good.append((scene.name, _files(scene), _calibration(scene)))
        except BadRecord as error:
            bad.append(str(error))
    check_bad(str(root), bad, len(scenes), max_bad_share, "scenes")

    def read(index):
        name, files, calibration = good[index]
        left, right = [file_sets.image_as("x")(path)["x"] for path in files[:2]]
        disparity = flow_files.read_pfm(files[2])[..., :1]
        record = {"image_id": name}
        record |= _as_task(task, left, right, disparity, calibration)
        file_sets.check_same_size(record, files[0])
        return record

    return Records(
        str(root),
        len(good),
        read,
        {"image_id": file_sets.TEXT, **_KEYS[task]},
        (),
        fingerprint([file for _, files, _ in good for file in files], task),
        tuple(bad),
        max_bad_share,
    )


def _files(scene):
    truth = "disp0GT.pfm" if (scene / "disp0GT.pfm").is_file() else "disp0.pfm"
    files = [scene / "im0.png", scene / "im1.png", scene / truth]
    for file, what in zip(files, ("left image", "right image", "disparity")):
        file_sets.check_file(file, f"{what} of {scene.name}")
    flow_files.check_pfm(files[2])
    return files


def _calibration(scene):
    """Reads calib.txt: cam0=[f 0 cx; 0 f cy; 0 0 1], doffs=pixels, baseline=mm."""
    path = scene / "calib.txt"
    file_sets.check_file(path, f"calibration of {scene.name}")
    return read_calibration(path)


def read_calibration(path):
    """Reads a calib.txt of 2014.

    Args:
        path: The file: cam0=[f 0 cx; 0 f cy; 0 0 1], doffs= in pixels, baseline= in mm.

    Returns:
        `Calibration`.

    Raises:
        BadRecord: A line is missing or is no number.
        FileNotFoundError: There is no such file.
    """
    text = pathlib.Path(path).read_text(errors="replace")
    values = dict(re.findall(r"^(\w+)=\[?([-+.\deE]+)", text, re.MULTILINE))
    try:
        focal, offset = float(values["cam0"]), float(values["doffs"])
        return Calibration(focal, offset, float(values["baseline"]) / 1000)
    except (KeyError, ValueError) as error:
        raise BadRecord(
            f"{path}: {error} is missing or no number: take calib.txt as released"
        ) from None


def depth_from_disparity(disparity, calibration):
    """Returns metres: baseline * focal / (disparity + offset)."""
    return calibration.baseline * calibration.focal / (disparity + calibration.offset)


_KEYS = {
    "stereo": file_sets.STEREO_KEYS,
    "flow": file_sets.FLOW_KEYS,
    "depth": file_sets.DEPTH_KEYS,
}


def _as_task(task, left, right, disparity, calibration):
    """Returns the record of a pair; what is not known is infinite in these files."""
    valid = np.isfinite(disparity).astype(np.uint8)
    disparity = np.where(valid, disparity, np.float32(0))
    if task == "stereo":
        pair = {"images": left, "right_images": right}
        return {**pair, "disparity": disparity, "disparity_valid": valid}
    if task == "flow":
        flow = np.concatenate([-disparity, np.zeros_like(disparity)], axis=-1)
        pair = {"images": left, "next_images": right}
        return {**pair, "flow": flow, "flow_valid": valid}
    depth = depth_from_disparity(np.where(valid, disparity, 1), calibration)
    depth = np.where(valid, depth, np.float32(0)).astype(np.float32)
    return {"images": left, "depth": depth, "depth_valid": valid}
