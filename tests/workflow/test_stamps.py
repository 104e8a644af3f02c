from pathlib import Path

import pytest

from microgesture.workflow.stamps import _module_digest, code_digest


@pytest.fixture
def package(tmp_path):
    def write(**files):
        (tmp_path / "pack").mkdir(exist_ok=True)
        for name, text in {"__init__": "", **files}.items():
            (tmp_path / "pack" / f"{name}.py").write_text(text)
        _module_digest.cache_clear()
        return tmp_path

    return write


BASE = {
    "stage": "from .tool import f\n\ndef run():\n    return f(1)\n",
    "tool": "def f(x):\n    return x\n",
    "other": "y = 1\n",
}


def digest(root: Path, **options):
    return code_digest(root, ["pack.stage"], **options)


def test_comments_docstrings_and_formatting_do_not_count(package):
    before = digest(package(**BASE))
    stage = '"""Says what it is."""\nfrom .tool import f  # why\n\n\ndef run():\n    """Run."""\n    return f( 1 )\n'
    assert digest(package(**{**BASE, "stage": stage})) == before


@pytest.mark.parametrize("changed", ["stage", "tool"])
def test_a_change_of_meaning_in_the_stage_or_what_it_imports_counts(package, changed):
    before = digest(package(**BASE))
    assert digest(package(**{**BASE, changed: BASE[changed].replace("return", "return 2 *")})) != before


def test_a_module_that_is_not_imported_does_not_count(package):
    before = digest(package(**BASE))
    assert digest(package(**{**BASE, "other": "y = 2\n"})) == before


def test_a_module_left_out_does_not_count(package):
    before = digest(package(**BASE), without={"pack.tool"})
    assert digest(package(**{**BASE, "tool": "def f(x):\n    return -x\n"}), without={"pack.tool"}) == before


@pytest.mark.parametrize(
    "statement", ["import pack.tool", "from pack import tool", "from . import tool", "from pack.tool import f"]
)
def test_every_form_of_import_is_followed(package, statement):
    files = {**BASE, "stage": f"{statement}\n"}
    before = digest(package(**files))
    assert digest(package(**{**files, "tool": "def f(x):\n    return -x\n"})) != before


def test_a_table_that_the_code_reads_counts(package):
    root = package(**BASE)
    (root / "table.json").write_text("[1]")
    before = digest(root, files=["table.json"])
    (root / "table.json").write_text("[2]")
    assert digest(root, files=["table.json"]) != before
