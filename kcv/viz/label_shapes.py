"""The shapes that the labels of a record must have for it to be drawn."""

_SHAPES = {  # the same letter is the same number; c is 1 or 3
    "images": "h w c",
    "next_images": "h w c",
    "frames": "t fh fw c",
    "boxes": "n 4",
    "full_boxes": "n 4",
    "classes": "n",
    "crowd": "n",
    "visibility": "n",
    "masks": "n h w",
    "semantic": "h w",
    "keypoints": "p k 3",
    "depth": "h w 1",
    "disparity": "h w 1",
    "disparity_valid": "h w 1",
    "normals": "h w 3",
    "albedo": "h w 3",
    "shading": "h w 1",
    "flow": "h w 2",
    "flow_valid": "h w 1",
    "flow_backward": "h w 2",
    "occlusion": "h w 1",
    "relations": "m m r",
}


def check(record):
    """Checks the shapes of a record's known keys.

    Args:
        record: {key: array}.

    Returns:
        (height, width) that its picture and maps have; None if it has none of them.

    Raises:
        ValueError: A shape is not that of its key, or does not fit an earlier key's.
    """
    numbers = {}
    for key, wanted in _SHAPES.items():
        if key not in record:
            continue
        shape, names = record[key].shape, wanted.split()
        fits = len(shape) == len(names) and all(
            _fits(name, number, numbers) for name, number in zip(names, shape)
        )
        if not fits:
            known = [f"{n} = {numbers[n]}" for n in names if n in numbers]
            where = f" with {', '.join(known)}" if known else ""
            needed = ", ".join(names) + ("," if len(names) == 1 else "")
            raise ValueError(f"{key} has shape {shape}; ({needed}){where} is needed")
        numbers.update(zip(names, shape))
    return (numbers["h"], numbers["w"]) if "h" in numbers else None


def _fits(name, number, numbers):
    if name.isdigit():
        return number == int(name)
    if name == "c":
        return number in (1, 3)
    return number == numbers.get(name, number) and (number > 0 or name in "ntpkm")
