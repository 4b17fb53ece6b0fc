"""Tries a claim of a paper by a small experiment, with its spread over three seeds.

  python -m kcv.tools.reproduce --list            the claims
  python -m kcv.tools.reproduce --claim=xor       runs one: seconds to five minutes
  python -m kcv.tools.reproduce --claim=all       runs all: an hour on two cores
  python -m kcv.tools.reproduce --claim=all --redraw
                                                  runs none: judges and draws again from
                                                  the numbers in results/claims
  python -m kcv.tools.reproduce --page            writes docs/claims.md again

Prints the verdict and writes results/claims/NAME.json, NAME.png and the page. Before
all seeds are done nothing is written.
"""

import logging
import pathlib
import time

from absl import flags
from rich.console import Console
from rich.progress import Progress

from kcv import files
from kcv.tools import claim_results, claims, claims_page, results, script, start_notes

_CLAIM = flags.DEFINE_string("claim", None, "Name of a claim, or all.")
_LIST = flags.DEFINE_bool("list", False, "Print the claims.")
_PAGE = flags.DEFINE_bool("page", False, "Write the page from the results.")
_REDRAW = flags.DEFINE_bool(
    "redraw", False, "Run nothing; judge and draw what was run."
)
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "One run of each seed.")
_RESULTS_DIR = flags.DEFINE_string(
    "results_dir", "results", "Results; the page is docs/claims.md beside this folder."
)


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {' '.join(argv[1:])}")
    if (_CLAIM.value is not None) + _LIST.value + _PAGE.value != 1:
        raise script.UsageError("give one of --claim=NAME, --list and --page")
    if _REDRAW.value and _CLAIM.value is None:
        raise script.UsageError("--redraw needs --claim=NAME or --claim=all")
    folder = pathlib.Path(_RESULTS_DIR.value)
    if _LIST.value:
        print(listing())
        return
    if _CLAIM.value is not None:
        seeds, names = parse_seeds(_SEEDS.value), parse_names(_CLAIM.value)
        load(names)
        for name in names:
            if _REDRAW.value:
                tell(redraw(claim_results.read(folder, name), folder))
            else:
                tell(reproduce(name, seeds, folder))
    print(f"wrote {write_page(folder)}")


def load(names):
    """Imports claims without what TensorFlow says: a network a run is the purpose."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    start_notes.hide()
    try:
        for name in names:
            claims.module(name)
    finally:
        start_notes.show()


def reproduce(name, seeds, folder):
    """Runs a claim, writes its picture and its file.

    Args:
        name: of `claims.NAMES`.
        seeds: whole numbers.
        folder: of the results.

    Returns:
        What the file holds.
    """
    claim = claims.module(name)
    start, runs = time.monotonic(), []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=len(seeds))
        for seed in seeds:
            progress.update(task, description=f"{name}, seed {seed}")
            runs.append(claim_results.tidy(claim.run(seed)))
            progress.advance(task)
    found = {
        "claim": name,
        "ids": list(claim.IDS),
        "sentence": claim.CLAIM,
        "numbers": claim_results.numbers(runs),
        "seeds": seeds,
        "seconds": round(time.monotonic() - start, 1),
        "versions": results.versions(),
        "machine": results.machine(),
        "date": results.today(),
    }
    return redraw(found, folder)


def redraw(found, folder):
    """Judges and draws the numbers of a claim, writes both; returns the result."""
    claim, runs = claims.module(found["claim"]), claim_results.runs_of(found)
    holds, finding = claim.verdict(runs)
    found = {
        **found,
        "ids": list(claim.IDS),
        "sentence": claim.CLAIM,
        "verdict": claim_results.VERDICTS[0 if holds else 1],
        "finding": finding,
    }
    claim_results.validate(found)  # before anything is written
    claim.draw(runs, pathlib.Path(folder, "claims", f"{found['claim']}.png"))
    claim_results.write(found, folder)
    return found


def write_page(folder):
    """Writes docs/claims.md beside the folder of results; returns its path."""
    path = pathlib.Path(folder).parent / "docs" / "claims.md"
    files.write_atomically(path, claims_page.document(folder))
    return path


def tell(found):
    """Prints the verdict."""
    print(f"{found['claim']}: {found['verdict']}\n  {found['finding']}", flush=True)


def listing():
    """One claim a line, as a text."""
    rows = [(name, *claims.statement(name)) for name in claims.NAMES]
    width = max(len(name) for name in claims.NAMES)
    return "\n".join(
        f"{name:<{width}}  {sentence} ({', '.join(ids)})"
        for name, sentence, ids in rows
    )


def parse_names(text):
    """Returns the names that --claim asks for."""
    if text != "all" and text not in claims.NAMES:
        known = ", ".join(claims.NAMES)
        raise script.UsageError(f"--claim={text}: write all or one of {known}")
    return list(claims.NAMES) if text == "all" else [text]


def parse_seeds(texts):
    """Returns the whole numbers of --seeds."""
    if not texts or not all(text.isdecimal() for text in texts):
        raise script.UsageError(
            f"--seeds={','.join(texts)}: write whole numbers from 0, as 0,1,2"
        )
    seeds = [int(text) for text in texts]
    if len(set(seeds)) < len(seeds):
        raise script.UsageError(f"--seeds={','.join(texts)}: a seed stands there twice")
    return seeds


if __name__ == "__main__":
    script.run(main)
