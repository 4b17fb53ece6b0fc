"""Shape and dtype of every key that a record may have; None is a varying dimension."""

KEYS = {
    "images": ((None, None, 3), "uint8"),
    "labels": ((), "int32"),  # of the whole image, or the action of a clip
    "boxes": ((None, 4), "float32"),  # x1, y1, x2, y2 in continuous pixels
    "classes": ((None,), "int32"),  # of the boxes; -1 is an empty slot
    "crowd": ((None,), "uint8"),  # 1: no single object, or too difficult to count
    "masks": ((None, None, None), "uint8"),  # (objects, height, width), 0 or 1
    "semantic": ((None, None), "int32"),  # 255 is not labelled
    "keypoints": ((None, None, 3), "float32"),  # x, y, visibility 0, 1 or 2
    "depth": ((None, None, 1), "float32"),
    "normals": ((None, None, 3), "float32"),  # x right, y down, z to the camera
    "albedo": ((None, None, 3), "float32"),
    "shading": ((None, None, 1), "float32"),
    "depth_valid": ((None, None, 1), "uint8"),
    "right_images": ((None, None, 3), "uint8"),  # of a stereo pair
    "disparity": ((None, None, 1), "float32"),  # pixels
    "disparity_valid": ((None, None, 1), "uint8"),
    "next_images": ((None, None, 3), "uint8"),
    "flow": ((None, None, 2), "float32"),  # dx, dy in pixels to the next image
    "flow_valid": ((None, None, 1), "uint8"),
    "flow_backward": ((None, None, 2), "float32"),
    "occlusion": ((None, None, 1), "uint8"),  # 1: not to be seen in the next image
    "frames": ((None, None, None, 3), "uint8"),  # (time, height, width, 3)
    "attributes": ((None,), "float32"),
    "relations": ((None, None, None), "int8"),  # of each pair of things
    "captions": ((None,), "str"),
    "questions": ((), "str"),
    "answers": ((), "str"),
    "answer_class": ((), "int32"),
    "choices": ((None,), "str"),
    "image_id": ((), "str"),
}


def select(*names, keypoints=None, attributes=None):
    """Returns {name: (shape, dtype)} with the number of keypoints, attributes set."""
    keys = {name: KEYS[name] for name in names}
    if "keypoints" in keys:
        keys["keypoints"] = ((None, keypoints, 3), "float32")
    if "attributes" in keys:
        keys["attributes"] = ((attributes,), "float32")
    return keys
