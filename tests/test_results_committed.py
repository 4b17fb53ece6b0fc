"""What is committed under results/ is true to its schema, and the tables to it."""

import pathlib

import pytest

from kcv import zoo
from kcv.tools import claim_results, model_table, results

ROOT = pathlib.Path(__file__).parents[1]
FILES = sorted((ROOT / "results").rglob("*.json"))


def test_there_are_results():
    assert results.read_all(ROOT / "results"), "no results/*.json is committed"
    assert results.read_benchmarks(ROOT / "results"), "no benchmark is committed"
    assert claim_results.read_all(ROOT / "results"), "no claim is committed"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_result_tells_nothing_of_the_place_it_was_made_at(path):
    text = path.read_text()
    for place in ("/home", "/root", "/tmp", "/Users", "/work"):
        assert place not in text


@pytest.mark.parametrize(
    "result", results.read_all(ROOT / "results"), ids=results._stem
)
def test_result_belongs_to_the_zoo_and_to_a_recipe(result):
    entry = zoo.entry(result["model"])
    assert result["ids"] == list(entry.ids)
    assert result["task"] == entry.task
    if result["recipe"]:
        assert (ROOT / "tools/recipes" / f"{result['recipe']}.flags").exists()
    if result["metric"]["baseline"] is not None:
        metric = result["metric"]
        sign = 1 if metric["higher_is_better"] else -1
        assert sign * metric["keras"] > sign * metric["baseline"]


@pytest.mark.parametrize("name", ["docs/models.md", "README.md", "docs/benchmarks.md"])
def test_committed_table_is_made_from_the_results(name):
    assert (ROOT / name).read_text() == model_table.documents(ROOT)[name]
