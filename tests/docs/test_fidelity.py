"""The page that compares this project with the publications, row by row."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/fidelity.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| component"))
]


def test_every_row_names_tests_that_exist_or_says_read():
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    known = {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    assert len(ROWS) > 50
    for component, _, ours, same, checked in ROWS:
        named = re.findall(r"`(test_\w+)`", checked)
        assert checked == "read" or ", ".join(f"`{name}`" for name in named) == checked, component
        assert set(named) <= known, component
        assert all((ours, same)), component


def test_every_file_of_ours_exists():
    files = [file for row in ROWS for file in re.findall(r"`(\w+/\w+\.py)`", row[2])]
    assert len(files) > 20
    assert all((ROOT / "src/microgesture" / file).is_file() for file in files)
