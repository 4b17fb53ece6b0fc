"""KITTI: flow and stereo of 2012 and 2015, depth completion of 2017.

Papers: Geiger, Lenz & Urtasun, Are We Ready for Autonomous Driving?, 2012; Menze &
Geiger, Object Scene Flow for Autonomous Vehicles, 2015; Uhrig et al., Sparsity
Invariant CNNs, 2017, https://arxiv.org/abs/1708.06500; data:
http://www.cvlibs.net/datasets/kitti.
"""

import pathlib

from kcv.data.readers import file_sets, flow_png

# (left images, right images, disparity, disparity without the occluded)
_YEARS = {
    2012: ("colored_0", "colored_1", "disp_occ", "disp_noc"),
    2015: ("image_2", "image_3", "disp_occ_0", "disp_noc_0"),
}
_EVERY = 5  # of the numbers of training, one is for validation
_SELECTION = "val_selection_cropped"
_ANONYMOUS = "test_depth_completion_anonymous"


def open_flow(path, split, *, max_bad_share=0.01):
    """Opens the flow of KITTI 2012 or 2015: training/image_2/000000_10.png, _11.png.

    Args:
        path: The folder with training and testing.
        split: "train" or "validation", four and one of every five pairs of training
            (there is no official cut), or "test", of which only images are public.
        max_bad_share: Largest share of malformed pairs.

    Returns:
        `Records` with images, next_images, and but for test flow, flow_valid and
        occlusion (1 where only training/flow_occ knows the flow, not flow_noc).

    Raises:
        FileNotFoundError: No such folder.
        ValueError: An unknown split, no pairs, or too many malformed ones.
    """
    root, (left, _, _, _) = _root(path, split)
    items = []
    for name in _names(root, split, (left, "flow_occ")):
        files = {
            "images": root / left / f"{name}_10.png",
            "next_images": root / left / f"{name}_11.png",
        }
        if split != "test":
            files["flow"] = root / "flow_occ" / f"{name}_10.png"
            files["visible"] = root / "flow_noc" / f"{name}_10.png"
        items.append((f"{name}_10", files))
    keys = {**file_sets.FLOW_KEYS, "occlusion": file_sets.MASK}
    keys = file_sets.PAIR_KEYS if split == "test" else keys
    readers = {
        "images": file_sets.image_as("images"),
        "next_images": file_sets.image_as("next_images"),
        "flow": file_sets.read_kitti_flow,
        "visible": lambda path: {"visible": flow_png.read_kitti_flow(path)[1]},
    }
    return _with_occlusion(path, items, readers, keys, "flow_valid", max_bad_share)


def open_stereo(path, split, *, max_bad_share=0.01):
    """Opens the stereo pairs of KITTI 2012 or 2015.

    Args:
        path: As of `open_flow`.
        split: As of `open_flow`.
        max_bad_share: Largest share of malformed pairs.

    Returns:
        `Records` with images (left) and right_images, and but for test disparity
        (pixels: the left image's x is the right one's x - disparity),
        disparity_valid and occlusion.

    Raises:
        FileNotFoundError: No such folder.
        ValueError: An unknown split, no pairs, or too many malformed ones.
    """
    root, (left, right, known, visible) = _root(path, split)
    items = []
    for name in _names(root, split, (left, known)):
        files = {
            "images": root / left / f"{name}_10.png",
            "right_images": root / right / f"{name}_10.png",
        }
        if split != "test":
            files["disparity"] = root / known / f"{name}_10.png"
            files["visible"] = root / visible / f"{name}_10.png"
        items.append((f"{name}_10", files))
    keys = {**file_sets.STEREO_KEYS, "occlusion": file_sets.MASK}
    if split == "test":
        keys = {key: file_sets.IMAGE for key in ("images", "right_images")}
    readers = {
        "images": file_sets.image_as("images"),
        "right_images": file_sets.image_as("right_images"),
        "disparity": _values_as("disparity"),
        "visible": lambda path: {"visible": flow_png.read_kitti_disparity(path)[1]},
    }
    return _with_occlusion(path, items, readers, keys, "disparity_valid", max_bad_share)


def _root(path, split):
    """Returns the folder of the split and the names of its folders, by the year."""
    file_sets.check_choice("split", split, ("train", "validation", "test"))
    root = pathlib.Path(path) / ("testing" if split == "test" else "training")
    file_sets.check_folder(root, "KITTI's folder, with training and testing")
    for folders in _YEARS.values():
        if (root / folders[0]).is_dir():
            return root, folders
    raise FileNotFoundError(
        f"{root} has neither colored_0 (KITTI 2012) nor image_2 (KITTI 2015): copy the"
        " colour images there"
    )


def _names(root, split, folders):
    """Returns the numbers of the split's pairs, of which any file is there."""
    files = [file for folder in folders for file in (root / folder).glob("*_10.png")]
    names = sorted({file.name.split("_")[0] for file in files})
    if split == "test":
        return names
    is_validation = split == "validation"
    last = _EVERY - 1
    return [n for n in names if (int(n) % _EVERY == last) == is_validation]


def _with_occlusion(path, items, readers, keys, valid, max_bad_share):
    """Opens files, of which "visible" becomes occlusion: known, but not visible."""
    records = file_sets.open_files(str(path), items, readers, keys, max_bad_share)

    def read(index):
        record = records.read(index)
        if "visible" in record:
            record["occlusion"] = record[valid] * (1 - record.pop("visible"))
        return record

    return records._replace(read=read)


def _values_as(key):
    def read(path):
        values, valid = flow_png.read_kitti_disparity(path)
        return {key: values, f"{key}_valid": valid}

    return read


def open_depth(path, split, *, images=None, cameras=(2, 3), max_bad_share=0.01):
    """Opens KITTI's depth completion: sparse laser depth, denser truth, the image.

    Args:
        path: The folder with train, val, val_selection_cropped and
            test_depth_completion_anonymous, of which the split's is needed.
        split: "train" (train/DRIVE/proj_depth/groundtruth/image_02/0000000005.png ...),
            "validation" (val_selection_cropped, or else val) or "test" (no truth).
        images: Folder of the raw data, images/2011_09_26/DRIVE/image_02/data/*.png,
            where train and val have their images; PATH by default.
        cameras: Of train and val: 2 is the left colour camera, 3 the right one.
        max_bad_share: Largest share of malformed records.

    Returns:
        `Records` with images, sparse_depth, sparse_depth_valid and, but for test,
        depth and depth_valid; metres, 0 where not valid.

    Raises:
        FileNotFoundError: No such folder.
        ValueError: An unknown split, no records, or too many malformed ones.
    """
    file_sets.check_choice("split", split, ("train", "validation", "test"))
    root = pathlib.Path(path)
    if split == "test":
        items = _anonymous_items(root / _ANONYMOUS)
    elif split == "validation" and (root / _SELECTION).is_dir():
        items = _selection_items(root / _SELECTION)
    else:
        folder = root / ("train" if split == "train" else "val")
        items = _drive_items(folder, pathlib.Path(images or path), cameras)
    keys = {"images": file_sets.IMAGE}
    for key in ("sparse_depth", *(() if split == "test" else ("depth",))):
        keys |= {key: file_sets.VALUE, f"{key}_valid": file_sets.MASK}
    readers = {
        "images": file_sets.image_as("images"),
        "sparse_depth": _values_as("sparse_depth"),
        "depth": _values_as("depth"),
    }
    return file_sets.open_files(str(path), items, readers, keys, max_bad_share)


def _drive_items(folder, raw, cameras):
    file_sets.check_folder(folder, "DRIVE/proj_depth/groundtruth/image_02/*.png in it")
    items = []
    for drive in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        for camera in (f"image_{number:02d}" for number in cameras):
            depths = drive / "proj_depth"
            day = "_".join(drive.name.split("_")[:3])
            for truth in sorted((depths / "groundtruth" / camera).glob("*.png")):
                files = {
                    "images": raw / day / drive.name / camera / "data" / truth.name,
                    "sparse_depth": depths / "velodyne_raw" / camera / truth.name,
                    "depth": truth,
                }
                items.append((f"{drive.name}/{camera}/{truth.stem}", files))
    return items


def _selection_items(folder):
    """Lists image/DRIVE_image_0000000005_image_02.png and what belongs to it."""
    items = []
    for truth in sorted((folder / "groundtruth_depth").glob("*.png")):
        files = {
            what: folder / name / truth.name.replace("groundtruth_depth", name)
            for what, name in (("images", "image"), ("sparse_depth", "velodyne_raw"))
        }
        items.append((truth.stem, {**files, "depth": truth}))
    return items


def _anonymous_items(folder):
    file_sets.check_folder(folder, "image and velodyne_raw in it")
    return [
        (
            sparse.stem,
            {"images": folder / "image" / sparse.name, "sparse_depth": sparse},
        )
        for sparse in sorted((folder / "velodyne_raw").glob("*.png"))
    ]
