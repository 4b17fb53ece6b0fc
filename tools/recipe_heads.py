"""The comment at the head of a recipe: what it is, and what was measured with it."""

from kcv.tools import tables

SCRIPTS = {  # by task; a model may have one of its own
    "classification": "train_classifier",
    "detection": "train_detector",
    "localisation": "train_localiser",
    "verification": "train_verifier",
    "rcnn": "train_rcnn",
    "sds": "train_sds",
    "yolo_9000_025": "train_yolo9000",
}
_WORDS = {
    "mask_ap50": "mask AP50",
    "keypoint_ap50": "keypoint AP50",
    "one_minus_eer": "1 - EER",
    "ap50": "AP50",
}


def with_head(text, result):
    """A flagfile with the head that a result gives it.

    Args:
        text: the flagfile; its first line is the title and stays, as do all lines that
            are no comments.
        result: of `kcv.tools.results`, measured with this recipe.

    Raises:
        ValueError: if the file does not begin with a title.
    """
    recipe, metric = result["recipe"], result["metric"]
    lines = text.splitlines()
    if not lines or not lines[0].startswith("# "):
        raise ValueError(
            f"tools/recipes/{recipe}.flags must begin with '# ' and a title"
        )
    script = SCRIPTS.get(result["model"], SCRIPTS[result["task"]])
    head = [
        lines[0],
        "#",
        f"#   python -m kcv.tools.{script} \\",
        f"#       --flagfile=tools/recipes/{recipe}.flags --output_dir=runs/{recipe}",
        "#",
        f"# Reaches a test {_words(metric['name'])} of {_value(metric, 'keras')}"
        f"{_guess(metric)}{_minutes(result)} on an",
        f"# {result['machine']}.",
    ]
    return "\n".join(head + [x for x in lines if not x.startswith("#")]) + "\n"


def _words(name):
    return _WORDS.get(name, name.replace("_", " "))


def _value(metric, key):
    if metric["name"] in tables.SHARES:
        return f"{metric[key]:.1%}".replace("%", " %")
    return f"{metric[key]:.3g}"


def _guess(metric):
    if metric["baseline"] is None:
        return ""
    return f" (a guess: {_value(metric, 'baseline')})"


def _minutes(result):
    if result["train_seconds"] is None:
        return ""
    return f" in {max(1, round(result['train_seconds'] / 60))} min"
