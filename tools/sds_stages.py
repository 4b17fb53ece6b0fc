"""The stages of `train_sds` that are not the network's, each with its file."""

import numpy as np
from absl import flags

from kcv import files
from kcv.classic import proposals, segments
from kcv.tools.rcnn_stages import bar
from kcv.train import sds, sds_results

_F = flags.FLAGS


def proposed(folder, name, examples, truths):
    """Stage 1 of a split: its regions, a list of Segments."""
    path = folder / f"regions_{name}.npz"
    if not path.exists():
        found = proposals.propose_regions(
            examples.images, _F.proposals, _F.proposals_per_image, _F.workers
        )
        with bar(f"regions {name}", len(examples.images)) as count:
            segments.write(path, [count(each) for each in found])
    found = segments.read(path)
    share = sds_results.reached(examples, truths, found)
    mean = np.mean([*map(len, found)])
    print(f"{name}: {mean:.0f} regions an image reach {share:.1%} of the objects")
    return found


def refinement(folder, predict, parts, how):
    """Stage 3: what tells superpixels of an object, learned on the validation split.

    Args:
        folder: of the run.
        predict: the trained network.
        parts: (examples, truths, regions) of the split.
        how: see `sds_results.evaluate`.
    """
    path = folder / "refinement.npz"
    if not path.exists():
        examples, _, regions = parts
        values = sds.answers(predict, examples.images, regions, **how)
        with bar("refinement", len(examples.images)) as count:
            weights = sds.learn_refinement(map(count, values), *parts)
        with files.replacing(path) as hidden, open(hidden, "wb") as file:
            np.savez(file, weights=weights)
    with np.load(path) as stored:
        return stored["weights"]
