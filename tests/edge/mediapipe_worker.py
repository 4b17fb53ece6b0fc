"""Answers of MediaPipe's ImageClassifier, in the environment that has MediaPipe.

    python mediapipe_worker.py IMAGES.npy MODEL...

Prints JSON: for each model a list of [index, label, score] of the images' top classes.
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
        options = vision.ImageClassifierOptions(
            base_options=tasks.BaseOptions(model_asset_path=model), max_results=1
        )
        with vision.ImageClassifier.create_from_options(options) as classifier:
            answers.append([_top(classifier, image) for image in images])
    print(json.dumps(answers))


def _top(classifier, image):
    image = mp.Image(image_format=mp.ImageFormat.SRGB, data=image)
    category = classifier.classify(image).classifications[0].categories[0]
    return category.index, category.category_name, category.score


if __name__ == "__main__":
    main(*sys.argv[1:])
