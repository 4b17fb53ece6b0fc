"""Detection by a network in parts, of which each can be int8.

The first part makes feature maps of the image, `kcv.edge.staged_model` proposals and
their regions in float, further parts say what these are. Masks and keypoints are made
for what is left after suppression alone.
"""

import numpy as np

from kcv.edge import boxes, detect, detected, preprocess
from kcv.edge.errors import EdgeError
from kcv.edge.staged_model import StagedModel
from kcv.edge.stages import HEADS

# As COCO's evaluation has it: what `outputs` makes masks of.
LEAST_SCORE, MOST = 0.01, 100


class StagedDetector:
    """Answers what an image shows and where; made by `kcv.edge.load`.

    Args:
        model: model_file.ModelFile of task "detection" that is in parts.
        threads: CPU threads of one inference.
        xnnpack: False leaves LiteRT's own kernels.
        delegates: paths of delegate libraries.

    Raises:
        EdgeError: a part is missing, or the tensors are not what kcv.json says.
    """

    def __init__(self, model, threads=1, xnnpack=True, delegates=()):
        self.model = model
        self._staged = StagedModel(model, threads, xnnpack, delegates)
        self.image_shape = self._staged.first.image_shape  # (height, width, channels)
        self.decoding = detect.read_decoding(model, self.image_shape[:2])
        self.classes, self.labels = self._staged.classes, self._staged.labels

    def predict(self, image, score_threshold=0.5, iou_threshold=0.5, most=100) -> list:
        """Everything in one image; see `detect.Detector.predict`."""
        image = preprocess.open_image(image, self.image_shape[-1])
        pixels = preprocess.to_pixels(image, self.image_shape)
        options = (iou_threshold, score_threshold, most)
        outputs, found, chosen = self._answer(pixels[None], *options)
        sizes = (image.height, image.width), self.decoding.image_size
        return detected.things(*sizes, self.labels, found, chosen, outputs)

    def predict_batch(self, images, **options) -> list[list]:
        """A list with the answer of `predict` for each of several images."""
        return [self.predict(image, **options) for image in images]

    def outputs(self, images) -> dict[str, np.ndarray]:
        """What the network in one graph gives for images of the model's size.

        Args:
            images: as for `classify.Classifier.probabilities`.

        Returns:
            {"proposals": float32 (n, p, 4), "scores": (n, p, 1 + classes), "offsets":
            (n, p, classes, 4)}; of a network with masks or keypoints also "mask_boxes":
            (n, p, 4), with "masks" or "keypoints" of the MOST proposals whose scores
            are above LEAST_SCORE and that are left after suppression, 0 of all others.

        Raises:
            EdgeError: another shape or dtype, or values that are not finite.
        """
        images = np.asarray(images)
        if not len(images):
            raise EdgeError("there are no images; give at least one")
        options = (0.5, LEAST_SCORE, MOST)
        each = [self._answer(image[None], *options)[0] for image in images]
        return {name: np.stack([one[name] for one in each]) for name in each[0]}

    def _answer(self, images, *options):
        """Outputs of one image, what they say, and what is chosen of it."""
        maps, outputs = self._staged.run(images)
        found = detect.decode(self.decoding, outputs)
        chosen = boxes.choose(*found, *options)
        for head in self._staged.heads.keys() - {"roi_head"}:
            # Each proposal as its best class moves it.
            best = outputs["scores"][:, 1:].argmax(axis=1)
            places = found[0][np.arange(len(best)), best]
            outputs["mask_boxes"] = places
            kept = np.unique(chosen[0])
            (name,) = HEADS[head]
            answers = self._staged.head(head, maps, places[kept])[name]
            outputs[name] = np.zeros((len(best), *answers.shape[1:]), "float32")
            outputs[name][kept] = answers
        return outputs, found, chosen
