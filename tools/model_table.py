"""Makes the tables of the documentation from results/ and the zoo. Takes a second.

  python -m kcv.tools.model_table           writes docs/models.md whole, the tables of
                                            README.md and docs/benchmarks.md, and the
                                            heads of the recipes
  python -m kcv.tools.model_table --check   exits 1 and names what differs from them

In README.md and docs/benchmarks.md only the text between two marks is made here:
<!-- model table --> and <!-- /model table -->, and likewise with "benchmarks".
"""

from pathlib import Path

from absl import flags

from kcv import files, zoo
from kcv.tools import recipe_heads, results, script, tables

_ROOT = flags.DEFINE_string("root", ".", "Root of the repository.")
_CHECK = flags.DEFINE_bool("check", False, "Write nothing; exit 1 if a table differs.")

MODELS, README, BENCHMARKS = "docs/models.md", "README.md", "docs/benchmarks.md"


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    root = Path(_ROOT.value)
    texts = documents(root)
    for name, text in texts.items():
        path = root / name
        current = path.read_text() if path.exists() else ""
        if current == text:
            continue
        if _CHECK.value:
            line = _first_difference(current, text)
            raise ValueError(
                f"{name} differs from results/ in line {line}; "
                "run python -m kcv.tools.model_table"
            )
        files.write_atomically(path, text)
        print(f"wrote {name}")
    if _CHECK.value:
        print(f"{len(texts)} files: equal to results/")


def documents(root: Path) -> dict[str, str]:
    """The texts that the files should hold, by path below the root.

    Raises:
        ValueError: if a result is wrong or of a model that is not in the zoo, or a
            document lacks the marks between which its table stands.
    """
    if not (root / "results").is_dir():
        raise ValueError(f"{root} has no folder results; set --root to the repository")
    measured = results.read_all(root / "results")
    benchmarks = results.read_benchmarks(root / "results")
    for result in measured:
        if result["model"] not in zoo.ZOO:
            name = f"{result['model']}_{result['data']}"
            raise ValueError(
                f"results/{name}.json: {result['model']} is not in the zoo"
            )
    order = list(zoo.ZOO)
    measured.sort(key=lambda result: (order.index(result["model"]), result["data"]))
    recipes = {}
    for result in measured:
        path = f"tools/recipes/{result['recipe']}.flags"
        if result["recipe"] and (root / path).exists():
            text = (root / path).read_text()
            recipes[path] = recipe_heads.with_head(text, result)
    return recipes | {
        MODELS: tables.models_document(zoo.ZOO, measured),
        README: _between(root, README, "model table", tables.short(measured)),
        BENCHMARKS: _between(
            root, BENCHMARKS, "benchmarks", tables.benchmarks(benchmarks)
        ),
    }


def _between(root, name, mark, table):
    """The document with `table` between its marks."""
    path = root / name
    if not path.exists():
        raise ValueError(f"{name} is missing, which holds the table of {mark}")
    text = path.read_text()
    first, last = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    if text.count(first) != 1 or text.count(last) != 1:
        raise ValueError(f"{name} must hold the lines {first} and {last} once each")
    before, rest = text.split(first)
    if last not in rest:
        raise ValueError(f"{name}: {last} stands before {first}")
    return f"{before}{first}\n{table}\n{last}{rest.split(last)[1]}"


def _first_difference(current, text):
    """Number of the first line that differs, from 1."""
    pairs = zip(current.splitlines() + [None], text.splitlines() + [None])
    return next((i for i, (a, b) in enumerate(pairs, 1) if a != b), "the last")


if __name__ == "__main__":
    script.run(main)
