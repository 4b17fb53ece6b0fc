"""docs/claims.md from results/claims; the same files give the same bytes."""

from pathlib import Path

from kcv.tools import claim_results, claims, tables

_HEAD = """\
# Claims, shown

Statements of papers, each tried by a small experiment with {seeds}. Made by
`python -m kcv.tools.reproduce` from [results/claims](../{results}/claims); do not edit.
The criterion of a verdict stands in the docstring of the claim's module and was fixed
before the run; where an experiment had to be mended, that is told there, too. The
experiments are small: what "does not hold here" may hold at the size of its paper.

{count}
"""


def document(results_dir: str | Path) -> str:
    """The text of the page.

    Raises:
        ValueError: naming the file that is wrong or of a claim that does not exist.
    """
    folder = Path(results_dir)
    found = {claim["claim"]: claim for claim in claim_results.read_all(folder)}
    for name in found:
        if name not in claims.NAMES:
            path = folder / "claims" / f"{name}.json"
            raise ValueError(f"{path}: there is no claim {name}; remove the file")
    shown = [found[name] for name in claims.NAMES if name in found]
    rows = [
        (
            f"[{_title(claim)}](#{_title(claim).replace(' ', '-')})",
            ", ".join(claim["ids"]),
            claim["sentence"],
            claim["verdict"],
        )
        for claim in shown
    ]
    seeds = sorted({len(claim["seeds"]) for claim in shown})
    numbers = " or ".join(map(str, seeds)) or "no"
    holding = sum(claim["verdict"] == "holds" for claim in shown)
    head = _HEAD.format(
        seeds=f"{numbers} seed{'s' * (seeds != [1])}",
        results=folder.name,
        count=f"{holding} of {len(shown)} hold.",
    )
    table = tables.table("Claim; Ids; Statement; Verdict", rows)
    return "\n".join([head, table, *(_section(claim, folder.name) for claim in shown)])


def _section(claim, results):
    name = claim["claim"]
    scalars = {k: v for k, v in claim["numbers"].items() if isinstance(v, dict)}
    rows = [
        (
            key.replace("_", " "),
            tables.number(value["mean"]),
            tables.number(value["spread"]),
            ", ".join(map(tables.number, value["values"])),
        )
        for key, value in scalars.items()
    ]
    numbers = tables.table("Number; >Mean; >Spread; Of each seed", rows) if rows else ""
    seeds = ", ".join(map(str, claim["seeds"]))
    return f"""\
## {_title(claim)}

{claim["sentence"]}

**{claim["verdict"].capitalize()}.** {claim["finding"]}

![{_title(claim)}](../{results}/claims/{name}.png)

{numbers}
`python -m kcv.tools.reproduce --claim={name}`: [code](../tools/claims/{name}.py),
[numbers](../{results}/claims/{name}.json); seeds {seeds} in {claim["seconds"]:.0f} s, \
{claim["date"]}, {claim["machine"]}.
"""


def _title(claim):
    return claim["claim"].replace("_", " ")
