"""Detection by a file that decodes and suppresses itself, as MediaPipe loads it.

`kcv.tools.fuse_detector` makes such files; their last operator is the
TFLite_Detection_PostProcess of every TFLite runtime.
"""

import numpy as np

from kcv.edge import preprocess
from kcv.edge.detected import Detected
from kcv.edge.errors import EdgeError
from kcv.edge.image_model import ImageModel

INSIDE = "post_process"  # the kind of scores in kcv.json
RANKS = {"boxes": 3, "classes": 2, "scores": 2, "count": 1}  # of the outputs


def is_fused(model) -> bool:
    """Whether a model_file.ModelFile of task "detection" suppresses itself."""
    decoding = model.manifest.get("decoding")
    return isinstance(decoding, dict) and decoding.get("scores") == INSIDE


class FusedDetector:
    """Answers what an image shows and where; made by `kcv.edge.load`.

    Args:
        model: model_file.ModelFile of task "detection" that `is_fused`.
        threads: CPU threads of one inference.
        xnnpack: False leaves LiteRT's own kernels.
        delegates: paths of delegate libraries.

    Raises:
        EdgeError: the model's tensors are not what its kcv.json says, or that names no
            classes.
    """

    def __init__(self, model, threads=1, xnnpack=True, delegates=()):
        self.model = model
        self._runner = ImageModel(
            model, "a fused detector", RANKS, threads, xnnpack, delegates
        )
        self.image_shape = self._runner.image_shape  # (height, width, channels)
        self.labels = model.labels
        if not self.labels:
            raise EdgeError(f"{model.path}: kcv.json names no classes; fuse it again")

    def predict(self, image, score_threshold=0.5, most=100) -> list[Detected]:
        """Everything in one image.

        Args:
            image: path, PIL image or uint8 array (h, w[, 1, 3 or 4]) of any size.
            score_threshold: only higher scores count, 0..1. The file has a threshold of
                its own, and one for overlaps.
            most: how many things at most; the file has a limit of its own, too.

        Returns:
            list of Detected, by falling score.

        Raises:
            EdgeError: the image cannot be read.
        """
        image = preprocess.open_image(image, self.image_shape[-1])
        pixels = preprocess.to_pixels(image, self.image_shape)
        outputs = {name: x[0] for name, x in self.outputs(pixels[None]).items()}
        count = min(int(outputs["count"]), most)
        boxes = outputs["boxes"][:count, [1, 0, 3, 2]]  # within the image
        boxes = boxes * np.float32([image.width, image.height] * 2)
        kinds = outputs["classes"][:count].astype(int)
        return [
            Detected(self.labels[kind], int(kind), float(score), tuple(box.tolist()))
            for box, score, kind in zip(boxes, outputs["scores"][:count], kinds)
            if score > score_threshold
        ]

    def predict_batch(self, images, **options) -> list[list[Detected]]:
        """A list with the answer of `predict` for each of several images."""
        return [self.predict(image, **options) for image in images]

    def outputs(self, images) -> dict[str, np.ndarray]:
        """What the network gives for images that already have the model's size.

        Args:
            images: as for `classify.Classifier.probabilities`.

        Returns:
            {"boxes": float32 (n, most, 4), y1, x1, y2, x2 in shares of the image,
            "classes": (n, most), "scores": (n, most), "count": (n,)}.

        Raises:
            EdgeError: another shape or dtype, or values that are not finite.
        """
        return self._runner.run(images)
