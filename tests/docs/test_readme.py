import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_picture_is_drawn_from_the_rules(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    sys.modules.pop("pipeline", None)
    from pipeline import mermaid

    assert blocks("mermaid") == [mermaid() + "\n"], "run: python docs/pipeline.py, and put it into the README"


def test_two_commands_do_the_set_up():
    first, *_ = blocks("bash")
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
