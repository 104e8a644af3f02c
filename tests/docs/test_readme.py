import re
import sys
import tomllib
from pathlib import Path

import pytest

from fixtures.rules import rule_texts

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
WORKFLOW_PAGE = (ROOT / "docs/pipeline.md").read_text()


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_graph_of_the_workflow_is_made_from_the_rules(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    sys.modules.pop("pipeline", None)
    from pipeline import mermaid

    assert blocks(WORKFLOW_PAGE, "mermaid") == [mermaid() + "\n"], "put what docs/pipeline.py prints into the page"


def test_the_tables_of_the_workflow_describe_rules_that_exist_and_every_rule_of_the_graph():
    (graph,) = blocks(WORKFLOW_PAGE, "mermaid")
    in_graph = set(re.findall(r"^ +(\w+)\[", graph, re.MULTILINE))
    first_cells = re.findall(r"^\| (`.*?) \|", WORKFLOW_PAGE, re.MULTILINE)
    described = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    assert in_graph <= described
    assert described - in_graph <= set(rule_texts())


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150, "move details to a page of the site"


def test_two_commands_do_the_set_up():
    first, *_ = blocks(README, "bash")
    assert first.splitlines() == [
        "pip install -r requirements.txt && snakemake --cores 8",
        "pytest",
    ]


def test_the_files_that_it_names_exist():
    for name in re.findall(
        r"\]\((?!http)([^)]+)\)|`((?:config|profiles|benchmarks|docs|workflow|src)/[\w./]*)`", README
    ):
        assert (ROOT / next(filter(None, name))).exists(), name


def test_the_lock_pins_what_the_project_needs():
    lock = (ROOT / "requirements.txt").read_text()
    for pin in ("torch==2.13.0", "torchvision==0.28.0", "pytorchvideo==0.1.5", "snakemake==9.", "-e ."):
        assert re.search(rf"^{re.escape(pin)}", lock, re.MULTILINE), pin
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in project["dependencies"] + project["optional-dependencies"]["dev"]:
        name = re.match(r"[\w-]+", requirement)[0]
        assert re.search(rf"^{name}==", lock, re.MULTILINE | re.IGNORECASE), name
