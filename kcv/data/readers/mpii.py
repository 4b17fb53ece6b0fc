"""MPII human pose: people with 16 joints, from the .mat of the authors or from JSON.

Andriluka, Pishchulin, Gehler, Schiele, 2D human pose estimation: new benchmark and
state of the art analysis, 2014. http://human-pose.mpi-inf.mpg.de

mpii_human_pose_v1_u12_1.mat is read by scipy.io.loadmat (a Matlab 5 file; -v7.3 is
another format). train.json and valid.json are those of Xiao's simple baselines and
Sun's HRNet: a list with one {"image", "joints", "joints_vis", "center", "scale"} a
person. Both count pixels from 1: their middles are at x - 0.5.
There are no boxes in the set: a box here is the square of side 200 * scale around the
stated centre that pose estimators cut out, clipped to the image.
"""

import pathlib

import numpy as np

from kcv.data.readers import json_lists, pictures, record_keys
from kcv.data.readers.records import BadRecord, Records, check_bad, fingerprint

JOINTS = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("pelvis", "thorax", "upper_neck", "head_top"),
    *("right_wrist", "right_elbow", "right_shoulder"),
    *("left_shoulder", "left_elbow", "left_wrist"),
)
MIRRORED_JOINTS = (5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10)
MAT_NAME = "mpii_human_pose_v1_u12_1.mat"
_JSON = {"train": "train.json", "validation": "valid.json", "test": "test.json"}


def open_split(path, split, *, annotations=None, images="images", max_bad_share=0.01):
    """Opens one split of MPII.

    Args:
        path: Folder with images/ and annot/train.json, valid.json, or the .mat there,
            beside images/ or in mpii_human_pose_v1_u12_2/.
        split: "train", "validation" (only in the JSON files) or "test" (no truth).
        annotations: The .mat or JSON file, relative to `path`, for any other layout.
        images: The folder of the pictures, relative to `path`.
        max_bad_share: Largest share of malformed records that is skipped.

    Returns:
        `Records`, one an image, with all of its people: boxes, classes (0), keypoints.

    Raises:
        FileNotFoundError: The annotations are missing.
        ValueError: Unknown split, a damaged file or too many malformed records.
    """
    root = pathlib.Path(path)
    file = _locate(root, split, annotations)
    if file.suffix == ".mat":
        people, bad = _people_of_mat(file, split)
    else:
        people, bad = _people_of_json(file)
    good = []
    for name in sorted(people):
        problem = pictures.file_problem(root / images / name)
        problem = problem or next((p for p in people[name] if isinstance(p, str)), "")
        if problem:
            bad.append(f"{name}: {problem}")
        else:
            good.append(name)
    check_bad(f"{file} {split}", bad, len(good) + len(bad), max_bad_share, "images")

    def read(index):
        name = good[index]
        return {"image_id": name, **_read(root / images / name, people[name])}

    return Records(
        f"{file} {split}",
        len(good),
        read,
        record_keys.select(
            *("images", "image_id", "boxes", "classes", "crowd", "keypoints"),
            keypoints=len(JOINTS),
        ),
        ("person",),
        fingerprint([file, *(root / images / name for name in good)], split),
        tuple(bad),
        max_bad_share,
    )


def _locate(root, split, annotations):
    if split not in _JSON:
        raise ValueError(f"split {split!r} is not one of {', '.join(_JSON)}")
    places = [root / "annot" / _JSON[split], root / "annot" / MAT_NAME, root / MAT_NAME]
    places.append(root / "mpii_human_pose_v1_u12_2" / MAT_NAME)
    places = places if annotations is None else [root / annotations]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(
        f"no annotations: looked for {', '.join(map(str, places))}; name the file by"
        " annotations="
    )


def _people_of_json(file):
    """Returns {image: [(keypoints, centre, scale) or what is wrong]} and bad lines."""
    items = json_lists.read_json(file)
    if not isinstance(items, list):
        raise ValueError(f"{file}: not a list of people: take the JSON of HRNet")
    people, bad = {}, []
    for number, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("image"), str):
            bad.append(f"{file}: person {number} without image")
            continue
        people.setdefault(item["image"], []).append(_person_of_json(item, number))
    return people, bad


def _person_of_json(item, number):
    try:
        centre = np.array(item["center"], np.float32).reshape(2) - 0.5
        scale = float(item["scale"])
        if "joints" not in item:
            return np.zeros((len(JOINTS), 3), np.float32), centre, scale
        joints = np.array(item["joints"], np.float32).reshape(len(JOINTS), 2)
        known = np.array(item["joints_vis"], np.float32).reshape(len(JOINTS)) > 0
    except (KeyError, TypeError, ValueError):
        return f"person {number}: not of center, scale, 16 joints and joints_vis: mend"
    # The JSON does not say which joints are hidden: those that are labelled are 2.
    keypoints = np.concatenate([joints - 0.5, 2 * known[:, None]], axis=1)
    return _checked(np.where(known[:, None], keypoints, 0), centre, scale, number)


def _people_of_mat(file, split):
    """The same of the .mat, whose structs have many empty and missing fields."""
    from scipy import io  # Here: its import takes as long as all of this module.

    if split == "validation":
        raise ValueError(f"{file}: has train and test only: use annot/valid.json")
    try:
        release = io.loadmat(file, struct_as_record=False, squeeze_me=True)["RELEASE"]
        annotations = np.atleast_1d(release.annolist)
        is_train = np.atleast_1d(release.img_train)
        names = [str(annotation.image.name) for annotation in annotations]
        annorects = [np.atleast_1d(annotation.annorect) for annotation in annotations]
    # Whatever SciPy says of a damaged file (zlib.error, ValueError, TypeError, ...).
    except Exception as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"{file}: no MPII .mat ({reason}): unpack it again") from None
    people = {}
    for name, rects, train in zip(names, annorects, is_train):
        if bool(train) == (split == "train"):
            labelled = [r for r in rects if split == "test" or _points(r) is not None]
            found = [_person_of_mat(rect, n) for n, rect in enumerate(labelled)]
            if found:
                people.setdefault(name, []).extend(found)
    return people, []


def _points(rect):
    """Returns the labelled points of a person, or None: many have only a head box."""
    points = getattr(getattr(rect, "annopoints", None), "point", None)
    return None if points is None or np.size(points) == 0 else np.atleast_1d(points)


def _person_of_mat(rect, number):
    keypoints = np.zeros((len(JOINTS), 3), np.float32)
    try:
        centre = np.array([rect.objpos.x, rect.objpos.y], np.float32) - 0.5
        scale = float(rect.scale)
        points = _points(rect)
        for point in () if points is None else points:
            # is_visible is 0, 1, "0", "1" or empty, as at heads: not known, so seen.
            seen = str(getattr(point, "is_visible", 1)) not in ("0", "0.0")
            keypoints[int(point.id)] = (point.x - 0.5, point.y - 0.5, 1 + seen)
    except (AttributeError, TypeError, ValueError, IndexError):
        return f"person {number}: without objpos, scale or joint: remove the image"
    return _checked(keypoints, centre, scale, number)


def _checked(keypoints, centre, scale, number):
    finite = np.isfinite(keypoints).all() and np.isfinite([*centre, scale]).all()
    if not finite or scale <= 0:
        return f"person {number}: scale {scale:g} or numbers that are none: mend"
    return keypoints.astype(np.float32), centre, scale


def _read(file, people):
    image = pictures.read_image(file)
    height, width = image.shape[:2]
    centres = np.array([centre for _, centre, _ in people], np.float32)
    half = 100 * np.array([[scale] for _, _, scale in people], np.float32)
    boxes = np.concatenate([centres - half, centres + half], axis=1)
    boxes = np.clip(boxes, 0, (width, height, width, height))
    if not (boxes[:, 2:] > boxes[:, :2]).all():
        raise BadRecord(f"{file}: a person whose centre and scale lie outside: remove")
    return {
        "images": image,
        "boxes": boxes.astype(np.float32),
        "classes": np.zeros(len(people), np.int32),
        "crowd": np.zeros(len(people), np.uint8),
        "keypoints": np.stack([keypoints for keypoints, _, _ in people]),
    }
