"""A network in parts: one of the image, heads of regions, and NumPy between them.

Proposals and regions lose their places in int8, so they are made here in float, of what
the first network answers; see `kcv.edge.stages`.
"""

import numpy as np

from kcv.edge.errors import EdgeError
from kcv.edge.image_model import ImageModel, checked
from kcv.edge.interpreter import Interpreter, dequantize, quantize
from kcv.edge.stages import HEADS, RPN, read_stages


class StagedModel:
    """Runs the parts of a model.

    Args:
        model: model_file.ModelFile with "stages".
        threads: CPU threads of one inference.
        xnnpack: False leaves LiteRT's own kernels.
        delegates: paths of delegate libraries.

    Raises:
        EdgeError: a part is missing, or its tensors are not what kcv.json says.
    """

    def __init__(self, model, threads=1, xnnpack=True, delegates=()):
        image_size = tuple(model.inputs.get("images", {}).get("shape", ())[1:3])
        self.stages = read_stages(model, image_size)
        outputs = dict.fromkeys(self.stages.maps(), 4) | RPN
        options = (threads, xnnpack, delegates)
        self.first = ImageModel(model, "a proposal stage", outputs, *options)
        count = sum(map(len, self.stages.anchors))
        if self.first.outputs["proposal_scores"].shape[1] != count:
            raise EdgeError(
                f"{model.path}: kcv.json has {count} anchors for"
                f" {self.first.outputs['proposal_scores'].shape[1]} scores; export it"
                " again"
            )
        self.heads = {
            name: Head(model, name, of.boxes, *options)
            for name, of in self.stages.heads.items()
            if of.kind != "ps"
        }
        if "roi_head" in self.heads:
            width = self.heads["roi_head"].outputs["scores"].shape[-1]
        else:
            maps, of = self.first.outputs, self.stages.heads["roi_head"]
            width = maps[next(iter(of.strides))].shape[-1] // of.bins**2
        self.classes = width - 1  # without the background
        self.labels = self.first.labels(self.classes)

    def run(self, images):
        """Maps, and proposals with their answers, of one image.

        Args:
            images: (1, height, width, channels), as for `ImageModel.run`.

        Returns:
            {name: float32 (height, width, channels)}, and {"proposals": (n, 4),
            "scores": (n, 1 + classes), "offsets": (n, classes, 4)}.
        """
        maps = {name: x[0] for name, x in self.first.run(images).items()}
        boxes = self.stages.propose(*(maps.pop(name) for name in RPN))
        if "roi_head" in self.heads:
            found = self.head("roi_head", maps, boxes)
        else:
            found = self.stages.heads["roi_head"].vote(maps, boxes, self.classes)
        return maps, {"proposals": boxes, **found}

    def head(self, name, maps, boxes) -> dict:
        """What a head says of boxes (n, 4): {output: float32 (n, ...)}."""
        return self.heads[name].run(self.stages.heads[name].make(maps, boxes))


class Head:
    """Runs a network of regions.

    Args:
        model: model_file.ModelFile.
        name: a key of HEADS.
        boxes: that one call takes.
        threads: as for `StagedModel`.
        xnnpack: likewise.
        delegates: likewise.
    """

    def __init__(self, model, name, boxes, threads=1, xnnpack=True, delegates=()):
        part = f"{name}.tflite"
        if part not in model.parts:
            raise EdgeError(f"{model.path}: has no part {part}; export it again")
        path = f"{model.path}: {part}"
        self._interpreter = Interpreter(
            model.parts[part], path, threads, xnnpack, delegates
        )
        said = model.manifest["parts"][part]["signature"]
        given = (self._interpreter.inputs, said["inputs"], {"regions": 5})
        self.input = checked(model, f"the part {part}", *given)["regions"]
        given = (self._interpreter.outputs, said["outputs"], HEADS[name])
        self.outputs = checked(model, f"the part {part}", *given)
        sizes = {x.shape[1] for x in (self.input, *self.outputs.values())}
        if sizes != {boxes}:
            raise EdgeError(
                f"{model.path}: the part {part} takes {self.input.shape[1]} boxes a"
                f" call, kcv.json says {boxes}; export it again"
            )
        self.boxes = boxes

    def run(self, values) -> dict:
        """{output: float32 (n, ...)} of regions (n, bins, bins, channels).

        Raises:
            EdgeError: another shape.
        """
        if values.shape[1:] != self.input.shape[2:]:
            raise EdgeError(
                f"regions are (n, {', '.join(map(str, self.input.shape[2:]))}), not"
                f" {values.shape}; export the model again"
            )
        found = {
            name: np.empty((len(values), *tensor.shape[2:]), "float32")
            for name, tensor in self.outputs.items()
        }
        for start in range(0, len(values), self.boxes):
            some = quantize(values[start : start + self.boxes], self.input)
            given = np.zeros(self.input.shape, some.dtype)
            given[0, : len(some)] = some
            answer = self._interpreter.run({"regions": given})
            for name, tensor in self.outputs.items():
                levels = answer[name][0, : len(some)]
                found[name][start : start + self.boxes] = dequantize(levels, tensor)
        return found
