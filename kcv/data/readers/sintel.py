"""MPI Sintel: scenes of an animated film with flow, occlusions and depth.

Paper: Butler et al., A Naturalistic Open Source Movie for Optical Flow Evaluation,
2012, http://sintel.is.tue.mpg.de.
"""

import pathlib

import numpy as np

from kcv.data.readers import file_sets, flow_files, flow_png

_PASSES = ("clean", "final")
VALIDATION_SCENES = (  # of 23; whole scenes, so that no frame is near a training frame
    *("ambush_2", "ambush_6", "bamboo_2", "cave_4", "market_6", "temple_2"),
)


def open_split(
    path,
    split,
    *,
    passes=("clean", "final"),
    validation_scenes=VALIDATION_SCENES,
    depth=False,
    max_bad_share=0.01,
):
    """Opens MPI Sintel: training/clean/alley_1/frame_0001.png, training/flow/....flo.

    Args:
        path: The folder with training and test.
        split: "train", "validation" or "test"; of test only the images are public.
        passes: "clean", "final" (with blur, fog and motion blur) or both.
        validation_scenes: Scenes of training that are "validation" instead.
        depth: Whether to read training/depth/alley_1/frame_0001.dpt too.
        max_bad_share: Largest share of malformed pairs.

    Returns:
        `Records` with images and next_images, and but for test flow, flow_valid (from
        training/invalid, all pixels without that folder), occlusion if there is
        training/occlusions, and depth if wanted.

    Raises:
        FileNotFoundError: No such folder.
        ValueError: An unknown option, no pairs, or too many malformed ones.
    """
    file_sets.check_choice("split", split, ("train", "validation", "test"))
    for name in passes:
        file_sets.check_choice("pass", name, _PASSES)
    root = pathlib.Path(path) / ("test" if split == "test" else "training")
    file_sets.check_folder(root, "MPI-Sintel-complete, with training and test")
    truths = [] if split == "test" else _truths(root, depth)
    items = []
    for name in passes:
        file_sets.check_folder(root / name, f"{root} with {', '.join(passes)}")
        scenes = sorted(entry for entry in (root / name).iterdir() if entry.is_dir())
        for scene in scenes:
            is_validation = scene.name in validation_scenes
            if split == "test" or is_validation == (split == "validation"):
                items += _items(root, scene, truths)
    keys = dict(file_sets.PAIR_KEYS if split == "test" else file_sets.FLOW_KEYS)
    keys |= {"occlusion": file_sets.MASK} if "occlusions" in truths else {}
    keys |= {"depth": file_sets.VALUE} if "depth" in truths else {}
    records = file_sets.open_files(str(path), items, _READERS, keys, max_bad_share)
    return records._replace(read=lambda index: _finish(records.read(index)))


def _truths(root, depth):
    """Returns the folders of truth that are there, "flow" and what "depth" asks for."""
    optional = [name for name in ("occlusions", "invalid") if (root / name).is_dir()]
    return ["flow", *optional, *(["depth"] if depth else [])]


def _items(root, scene, truths):
    """Returns [(image_id, files)] of a scene of one pass; the last image has no flow.

    A flow counts as two images, so that a missing one is noticed.
    """
    flows = {_number(file) for file in (root / "flow" / scene.name).glob("*.flo")}
    numbers = {_number(image) for image in scene.glob("*.png")}
    numbers |= flows | {number + 1 for number in flows}
    suffixes = {"flow": ".flo", "depth": ".dpt"}
    items = []
    for number in range(min(numbers, default=0), max(numbers, default=0)):
        name = f"frame_{number:04d}"
        files = {
            "images": scene / f"{name}.png",
            "next_images": scene / f"frame_{number + 1:04d}.png",
        }
        for truth in truths:
            file = root / truth / scene.name / (name + suffixes.get(truth, ".png"))
            files[truth] = file
        items.append((f"{scene.parent.name}/{scene.name}/{name}", files))
    return items


def _number(file):
    return int(file.stem.split("_")[1])


_READERS = {
    "images": file_sets.image_as("images"),
    "next_images": file_sets.image_as("next_images"),
    "flow": file_sets.read_flo,
    "occlusions": lambda path: {"occlusion": flow_png.read_mask(path)},
    "invalid": lambda path: {"invalid": flow_png.read_mask(path)},
    "depth": lambda path: {"depth": flow_files.read_dpt(path)},
}


def _finish(record):
    """Takes the pixels that Sintel marks invalid out of flow_valid."""
    invalid = record.pop("invalid", None)
    if invalid is not None:
        record["flow_valid"] = record["flow_valid"] * (1 - invalid)
        record["flow"] = np.where(record["flow_valid"], record["flow"], np.float32(0))
    return record
