"""Answers of MediaPipe's ObjectDetector, in the environment that has MediaPipe.

    python mediapipe_detector_worker.py IMAGES.npy MODEL...

Prints JSON: for each model and image a list of [label, score, [x, y, width, height]].
"""

import json
import sys

import mediapipe as mp
import numpy as np
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision


def main(images, *models):
    images, answers = np.load(images), []
    for model in models:
        options = vision.ObjectDetectorOptions(
            base_options=tasks.BaseOptions(model_asset_path=model)
        )
        with vision.ObjectDetector.create_from_options(options) as detector:
            answers.append([_things(detector, image) for image in images])
    print(json.dumps(answers))


def _things(detector, image):
    image = mp.Image(image_format=mp.ImageFormat.SRGB, data=image)
    found = []
    for thing in detector.detect(image).detections:
        box = thing.bounding_box
        box = [box.origin_x, box.origin_y, box.width, box.height]
        for kind in thing.categories:  # MediaPipe has gathered what is at one box
            found.append([kind.category_name, kind.score, box])
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
