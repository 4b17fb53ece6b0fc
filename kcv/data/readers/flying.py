"""FlyingChairs and FlyingThings3D: drawn pairs of images with exact flow.

Papers: Dosovitskiy et al., FlowNet, 2015, https://arxiv.org/abs/1504.06852, and Mayer
et al., A Large Dataset to Train Convolutional Networks, 2016,
https://arxiv.org/abs/1512.02134.
"""

import glob
import os
import pathlib

from kcv.data.readers import file_sets

_CHAIRS_SPLIT = "FlyingChairs_train_val.txt"
_THINGS_SPLITS = {"train": "TRAIN", "test": "TEST"}
_PASSES = ("frames_cleanpass", "frames_finalpass")
_DIRECTIONS = {"into_future": 1, "into_past": -1}
_CAMERAS = ("left", "right")


def open_chairs(path, split, *, split_file=None, max_bad_share=0.01):
    """Opens FlyingChairs: data/00001_img1.ppm, 00001_img2.ppm and 00001_flow.flo.

    Args:
        path: FlyingChairs_release, or its folder data.
        split: "train", or "validation" if there is the official list of pairs.
        split_file: That list, a 1 (train) or 2 (validation) on the line of each pair;
            by default FlyingChairs_train_val.txt in one of these folders, or none: then
            all pairs are for training.
        max_bad_share: Largest share of malformed pairs.

    Returns:
        `Records` with images, next_images, flow and flow_valid.

    Raises:
        FileNotFoundError: No folder, or no list for validation.
        ValueError: No pairs, too many malformed ones, or a list of another length.
    """
    file_sets.check_choice("split", split, ("train", "validation"))
    file_sets.check_folder(path, "FlyingChairs_release with data/00001_img1.ppm ...")
    root = pathlib.Path(path)
    data = root / "data" if (root / "data").is_dir() else root
    # Any of the three files makes a pair, so that a missing one is noticed.
    names = sorted({name.split("_")[0] for name in os.listdir(data) if _is_pair(name)})
    if not names:
        raise ValueError(f"{data}: no 00001_img1.ppm ...: is it FlyingChairs' data?")
    numbers = _chairs_list(root, data, split_file)
    if numbers is None and split == "validation":
        raise FileNotFoundError(
            f"no {_CHAIRS_SPLIT} in {root}: it says which pairs are for validation;"
            " copy it there from the official page, or give split_file"
        )
    if numbers is not None:
        if len(numbers) < int(names[-1]):
            raise ValueError(
                f"the list of splits has {len(numbers)} lines, but {data} has pair"
                f" {names[-1]}: take the list and the pairs from one release"
            )
        wanted = "1" if split == "train" else "2"
        names = [name for name in names if numbers[int(name) - 1] == wanted]
    roles = {"images": "img1.ppm", "next_images": "img2.ppm", "flow": "flow.flo"}
    items = [
        (name, {role: data / f"{name}_{end}" for role, end in roles.items()})
        for name in names
    ]
    return file_sets.open_files(
        str(path),
        items,
        _readers(file_sets.read_flo),
        file_sets.FLOW_KEYS,
        max_bad_share,
    )


def _is_pair(name):
    number, _, rest = name.partition("_")
    return number.isdigit() and rest in ("img1.ppm", "img2.ppm", "flow.flo")


def _chairs_list(root, data, split_file):
    """Returns the numbers in the list of splits, or None without a list."""
    if split_file is not None and not os.path.isfile(split_file):
        raise FileNotFoundError(f"no split_file {split_file}: check the path")
    candidates = (root, data, root.parent)
    files = [split_file] if split_file else [c / _CHAIRS_SPLIT for c in candidates]
    for file in files:
        if os.path.isfile(file):
            numbers = pathlib.Path(file).read_text().split()
            if wrong := sorted(set(numbers) - {"1", "2"}):
                raise ValueError(f"{file}: {wrong[0]!r} is neither 1 nor 2: copy again")
            return numbers
    return None


def open_things(
    path,
    split,
    *,
    frames="frames_cleanpass",
    directions=("into_future", "into_past"),
    cameras=("left", "right"),
    max_bad_share=0.01,
):
    """Opens FlyingThings3D: PASS/TRAIN/A/0000/left/0006.png and optical_flow/....pfm.

    The flow of a frame lies in optical_flow/TRAIN/A/0000/into_future/left/
    OpticalFlowIntoFuture_0006_L.pfm; into_past leads to the frame before.

    Args:
        path: The folder with frames_cleanpass and optical_flow.
        split: "train" or "test".
        frames: "frames_cleanpass" or "frames_finalpass" (with blur).
        directions: Which flows are records: "into_future", "into_past".
        cameras: "left", "right".
        max_bad_share: Largest share of malformed pairs.

    Returns:
        `Records` with images, next_images, flow and flow_valid.

    Raises:
        FileNotFoundError: No such folder.
        ValueError: An unknown option, no flow files, or too many malformed pairs.
    """
    file_sets.check_choice("split", split, _THINGS_SPLITS)
    file_sets.check_choice("frames", frames, _PASSES)
    for direction in directions:
        file_sets.check_choice("direction", direction, _DIRECTIONS)
    for camera in cameras:
        file_sets.check_choice("camera", camera, _CAMERAS)
    root = pathlib.Path(path)
    part = _THINGS_SPLITS[split]
    flows = root / "optical_flow" / part
    file_sets.check_folder(flows, "the layout of FlyingThings3D, with optical_flow")
    file_sets.check_folder(root / frames / part, f"the layout of FlyingThings3D {part}")
    items = []
    for scene in sorted(glob.glob("*/*", root_dir=flows)):
        for direction in directions:
            for camera in cameras:
                folder = flows / scene / direction / camera
                images = root / frames / part / scene / camera
                items += _things_items(folder, images, _DIRECTIONS[direction])
    return file_sets.open_files(
        str(path),
        items,
        _readers(file_sets.read_pfm_flow),
        file_sets.FLOW_KEYS,
        max_bad_share,
    )


def _things_items(folder, images, step):
    """Returns [(image_id, files)] of the flows in a folder.

    That of a scene's last frame leads to a frame that was never released.
    """
    flows = {int(file.stem.split("_")[1]): file for file in folder.glob("*_*_?.pfm")}
    numbers = sorted({*flows, *(int(image.stem) for image in images.glob("*.png"))})
    items = []
    for number, flow in sorted(flows.items()):
        if not numbers[0] <= number + step <= numbers[-1]:
            continue
        files = {
            "images": images / f"{number:04d}.png",
            "next_images": images / f"{number + step:04d}.png",
            "flow": flow,
        }
        # TRAIN/A/0000/into_future/left/OpticalFlowIntoFuture_0006_L
        items.append(("/".join(flow.with_suffix("").parts[-6:]), files))
    return items


def _readers(read_flow):
    return {
        "images": file_sets.image_as("images"),
        "next_images": file_sets.image_as("next_images"),
        "flow": read_flow,
    }
