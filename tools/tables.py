"""Markdown tables of results; the same results give the same bytes."""

from collections.abc import Mapping, Sequence

# Metrics that are shares of one: shown in percent, their differences in points.
SHARES = (
    *("accuracy", "top_5_accuracy", "localisation_accuracy", "one_minus_eer"),
    "ap50",
    "mask_ap50",
    "keypoint_ap50",
)

NOT_MEASURED = "–"

_MODELS_HEAD = """\
# Models

Made by `python -m kcv.tools.model_table` from [kcv/zoo](../kcv/zoo) and the files
in [results/](../results); do not edit. A dash is a value that was not measured, and the
notes below the tables say why.
"""

_ZOO_HEAD = """\
## The zoo

Parameters (batch statistics included) and multiply-adds at the size and with the
classes of the paper. `python -m kcv.tools.zoo` prints the same.
"""

_METRIC_HEAD = """\
## What the recipes reach

On the test split, which neither training nor calibration saw. *Baseline* knows only
how frequent the classes are (of localisation: and the mean box; of verification: how
alike the pixels are; of detection: what the picture before shows). *int8* is quantised
after training; *drop* is what it loses against Keras (a negative drop is a gain). *QAT*
is the int8 file after further epochs of quantisation-aware training. The last two
columns are the float model and its int8 file after as many further epochs: compare
*QAT* with *int8, as long*.
"""

_FILES_HEAD = """\
## Files and speed

Parameters and multiply-adds here are at the size and with the classes of the recipe.
Latency is the median of one image, with one thread and with two, on the machine of the
last table. *Deviation* is the largest difference to Keras over its largest value.
"""

_ORIGIN_HEAD = """\
## Where the numbers are from

A row is repeated by the command at the head of `tools/recipes/RECIPE.flags`.
"""


def models_document(entries: Mapping, measured: Sequence[Mapping]) -> str:
    """The text of docs/models.md.

    Args:
        entries: rows of the zoo by name, in order.
        measured: results of models, in the order of the tables.
    """
    parts = [
        _MODELS_HEAD,
        _ZOO_HEAD,
        table(
            "Model; Ids; Task; Paper; Input; >Parameters; >Multiply-adds; Recipe",
            [_zoo_row(name, entry) for name, entry in entries.items()],
        ),
        _METRIC_HEAD,
        table(
            "Model; Data; >Test images; Metric; >Baseline; >Keras; >float32; >int8; "
            ">Drop; >QAT; >Further epochs; >Keras, as long; >int8, as long",
            [_metric_row(result) for result in measured],
        ),
        _FILES_HEAD,
        table(
            "Model; Data; >Parameters; >Multiply-adds; >float32 file; >int8 file; "
            ">int8 / float32; >float32 ms; >2 threads; >int8 ms; >2 threads; "
            ">Deviation float32; >int8; Operators of the int8 file",
            [_file_row(result) for result in measured],
        ),
        _ORIGIN_HEAD,
        table(
            "Model; Data; Recipe; >Training; >Seed; Keras; TensorFlow; LiteRT; Date; "
            "Machine",
            [_origin_row(result) for result in measured],
        ),
        *_notes(measured),
    ]
    return "\n".join(parts)


def short(measured: Sequence[Mapping]) -> str:
    """The table of README.md: a line a result."""
    rows = []
    for result in measured:
        metric, size, latency = result["metric"], result["bytes"], result["latency_ms"]
        rows.append(
            (
                f"`{result['model']}`",
                result["data"],
                count(result["parameters"]),
                *(score(metric, name) for name in ("keras", "float32", "int8", "qat")),
                drop(metric),
                f"{kilobytes(size['float32'])} → {kilobytes(size['int8'])}",
                milliseconds(latency["float32_1"]),
                milliseconds(latency["int8_1"]),
            )
        )
    head = (
        "Model; Data; >Parameters; >Keras; >float32; >int8; >int8 QAT; >Drop; "
        ">File float32 → int8; >float32 ms; >int8 ms"
    )
    return table(head, rows)


def benchmarks(measured: Sequence[Mapping]) -> str:
    """The table of docs/benchmarks.md: a line a benchmark, and notes."""
    rows = [
        (
            f"`{value['name']}`",
            number(value["ours"]),
            number(value["peer"]),
            value["unit"],
            NOT_MEASURED if value["ratio"] is None else f"{value['ratio']:.2f}",
            str(value["runs"]),
            value["peer_version"] or NOT_MEASURED,
            value["date"],
            value["machine"],
        )
        for value in measured
    ]
    head = "Benchmark; >Ours; >Peer; Unit; >Ours / peer; >Runs; Peer; Date; Machine"
    notes = [f"- `{v['name']}`: {_line(v['note'])}" for v in measured if v["note"]]
    return "\n".join([table(head, rows), *notes])


def table(head: str, rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; `head` holds the titles between "; ", ">" aligns right."""
    titles = head.split("; ")
    rules = ["---:" if title.startswith(">") else "---" for title in titles]
    lines = [[title.removeprefix(">") for title in titles], rules, *rows]
    for cells in rows:
        if len(cells) != len(titles):
            raise ValueError(f"{len(cells)} cells under {len(titles)} titles: {cells}")
    if not rows:
        lines.append(["nothing measured yet", *[""] * (len(titles) - 1)])
    escaped = [[_line(cell).replace("|", "\\|") for cell in cells] for cells in lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped) + "\n"


def score(metric: Mapping, name: str) -> str:
    """A value of the metric: percent if it is a share, else three decimals."""
    value = metric.get(name)
    if value is None:
        return NOT_MEASURED
    return f"{100 * value:.2f} %" if metric["name"] in SHARES else f"{value:.3f}"


def drop(metric: Mapping) -> str:
    """What int8 loses against Keras: points of a share, or percent of the value."""
    keras, int8 = metric["keras"], metric["int8"]
    if keras is None or int8 is None:
        return NOT_MEASURED
    lost = (keras - int8) if metric["higher_is_better"] else (int8 - keras)
    if metric["name"] in SHARES:
        return f"{100 * lost + 0.0:.2f}"
    return f"{100 * lost / abs(keras):.1f} %" if keras else NOT_MEASURED


def count(value: int | None) -> str:
    """12,345,678."""
    return NOT_MEASURED if value is None else f"{value:,}"


def kilobytes(value: int | None) -> str:
    """Bytes in thousands."""
    return NOT_MEASURED if value is None else f"{value / 1000:,.1f} kB"


def milliseconds(value: float | None) -> str:
    """Two decimals, three significant digits below 0.1."""
    if value is None:
        return NOT_MEASURED
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3g}"


def number(value: float | None) -> str:
    """Four significant digits."""
    return NOT_MEASURED if value is None else f"{value:.4g}"


def _zoo_row(name, entry):
    paper, _, address = entry.paper.rpartition(", http")
    paper = f"[{paper}](http{address})" if paper else entry.paper
    return (
        f"`{name}`",
        ", ".join(entry.ids),
        entry.task,
        paper,
        " × ".join(map(str, entry.input_shape)),
        count(entry.parameters),
        count(entry.multiply_adds),
        f"`{entry.recipe}`" if entry.recipe else NOT_MEASURED,
    )


def _metric_row(result):
    metric, equal = result["metric"], result["equal_training"]
    equal_metric = {**metric, **(equal or {"keras": None, "int8": None})}
    return (
        *_who(result),
        count(metric["splits"].get("test")),
        metric["name"].replace("_", " "),
        score(metric, "baseline"),
        score(metric, "keras"),
        score(metric, "float32"),
        score(metric, "int8"),
        drop(metric) + (" points" if metric["name"] in SHARES else ""),
        score(metric, "qat"),
        f"{equal['epochs']:g}" if equal else NOT_MEASURED,
        score(equal_metric, "keras"),
        score(equal_metric, "int8"),
    )


def _file_row(result):
    size, latency, parity = result["bytes"], result["latency_ms"], result["parity"]
    both = size["float32"] and size["int8"]
    operators = sorted(result["operators"].items())
    return (
        *_who(result),
        count(result["parameters"]),
        count(result["multiply_adds"]),
        kilobytes(size["float32"]),
        kilobytes(size["int8"]),
        f"{size['int8'] / size['float32']:.2f}" if both else NOT_MEASURED,
        milliseconds(latency["float32_1"]),
        milliseconds(latency.get("float32_2")),
        milliseconds(latency["int8_1"]),
        milliseconds(latency.get("int8_2")),
        *(_deviation(parity.get(name)) for name in ("float32", "int8")),
        ", ".join(f"{times} {name}" for name, times in operators) or NOT_MEASURED,
    )


def _origin_row(result):
    seconds, versions = result["train_seconds"], result["versions"]
    return (
        *_who(result),
        f"`{result['recipe']}`" if result["recipe"] else NOT_MEASURED,
        NOT_MEASURED if seconds is None else f"{seconds:,.0f} s",
        str(result["seed"]),
        *(
            versions.get(name, NOT_MEASURED)
            for name in ("keras", "tensorflow", "ai-edge-litert")
        ),
        result["date"],
        result["machine"],
    )


def _who(result):
    return f"`{result['model']}`", result["data"]


def _deviation(value):
    return NOT_MEASURED if value is None else f"{value:.1e}"


def _notes(measured):
    noted = [result for result in measured if result["note"].strip()]
    if not noted:
        return []
    lines = [f"- `{r['model']}` on {r['data']}: {_line(r['note'])}" for r in noted]
    return ["## Notes\n", "\n".join(lines) + "\n"]


def _line(text):
    return " ".join(str(text).split())
