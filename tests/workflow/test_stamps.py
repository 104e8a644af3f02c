import sys
from pathlib import Path

import pytest

from microgesture.workflow.stamps import Sources


@pytest.fixture
def package(tmp_path):
    def write(**files):
        (tmp_path / "pack").mkdir(exist_ok=True)
        for name, text in {"__init__": "", **files}.items():
            (tmp_path / "pack" / f"{name}.py").write_text(text)
        return tmp_path

    return write


BASE = {
    "stage": "from .tool import f\n\ndef run():\n    return f(1)\n",
    "tool": "def f(x):\n    return x\n\ndef g(x):\n    return x\n",
    "other": "y = 1\n",
}


def digest(root: Path, entry: str = "pack.stage", **options):
    return Sources(root).digest([entry], **options)


def same(package, before: dict[str, str], after: dict[str, str], entry: str = "pack.stage") -> bool:
    """Whether the digest stays the same when the modules of a package are ``before`` and then ``after``."""
    first = digest(package(**before), entry)
    return digest(package(**after), entry) == first


def test_comments_docstrings_and_formatting_do_not_count(package):
    stage = '"""What it is."""\nfrom .tool import f  # why\n\n\ndef run():\n    """Run."""\n    return f( 1 )\n'
    assert same(package, BASE, BASE | {"stage": stage})


@pytest.mark.parametrize("changed", ["stage", "tool"])
def test_a_change_of_meaning_in_the_stage_or_what_it_imports_counts(package, changed):
    assert not same(package, BASE, BASE | {changed: BASE[changed].replace("return", "return 2 *", 1)})


def test_only_what_is_used_of_a_module_counts(package):
    assert same(
        package, BASE, BASE | {"tool": BASE["tool"].replace("def g(x):\n    return x", "def g(x):\n    return 2")}
    )


def test_a_module_that_is_not_imported_does_not_count(package):
    assert same(package, BASE, BASE | {"other": "y = 2\n"})


@pytest.mark.parametrize("without", ["pack.tool", "pack.tool:f"])
def test_what_is_left_out_does_not_count(package, without):
    before = digest(package(**BASE), without={without})
    after = digest(package(**BASE | {"tool": "def f(x):\n    return -x\n"}), without={without})
    assert after == before


@pytest.mark.parametrize(
    "stage",
    [
        "import pack.tool\n\ndef run():\n    return pack.tool.f(1)\n",
        "import pack.tool as tool\n\ndef run():\n    return tool.f(1)\n",
        "from pack import tool\n\ndef run():\n    return tool.f(1)\n",
        "from . import tool\n\ndef run():\n    return getattr(tool, 'f')(1)\n",
        "from pack.tool import f\n\ndef run():\n    return f(1)\n",
        "from pack.tool import f as g\n\nTABLE = {'f': g}\n\ndef run():\n    return TABLE['f'](1)\n",
        "from pack.tool import *\n\ndef run():\n    return f(1)\n",
        "def run():\n    from .tool import f\n\n    return f(1)\n",
        "try:\n    from .tool import f\nexcept ImportError:\n    f = None\n\ndef run():\n    return f(1)\n",
        "from .both import f\n\ndef run():\n    return f(1)\n",
        "from .tool import f\n\nclass Run:\n    def run(self):\n        return f(1)\n",
        "from functools import partial\nfrom .tool import f\n\nrun = partial(f, 1)\n",
    ],
)
def test_every_way_to_use_a_function_is_followed(package, stage):
    files = BASE | {"stage": stage, "both": "from .tool import f\n"}
    assert not same(package, files, files | {"tool": "def f(x):\n    return -x\n"})


def test_an_entry_may_be_one_function(package):
    stage = BASE["stage"] + "\ndef other():\n    return 1\n"
    assert same(package, BASE, BASE | {"stage": stage}, entry="pack.stage:run")
    assert not same(package, BASE, BASE | {"stage": stage})
    with pytest.raises(AttributeError, match=r"pack\.stage does not define walk"):
        digest(package(**BASE), "pack.stage:walk")
    with pytest.raises(ModuleNotFoundError, match=r"pack\.stages"):
        digest(package(**BASE), "pack.stages")


TEXTS = """
import logging
import sys
from tqdm import tqdm
from pydantic import Field
from microgesture.config.base import Settings
from microgesture.errors import InputError
from microgesture.progress import progress

log = logging.getLogger(__name__)

class Options(Settings):
    width: int = Field(3, description="WORD")

def wrong(x):
    return InputError(f"WORD {x}")

def run(items: "WORD") -> "WORD":
    hint = "WORD"
    if not items:
        raise ValueError(f"WORD {len(items)}", hint)
    if len(items) > 9:
        raise wrong(items)
    assert items, "WORD"
    log.info("WORD %s", items)
    print("WORD", file=sys.stderr)
    title = f"WORD {len(items)}"
    return [item + Options().width for item in tqdm(progress(items, "WORD", len(items)), desc=title)]
"""


def test_text_for_people_does_not_count(package):
    assert same(package, BASE | {"stage": TEXTS}, BASE | {"stage": TEXTS.replace("WORD", "other words")})


@pytest.mark.parametrize("line", ['    log.info("WORD %s", items)\n', '    print("WORD", file=sys.stderr)\n'])
def test_saying_nothing_at_all_changes_nothing(package, line):
    assert same(package, BASE | {"stage": TEXTS}, BASE | {"stage": TEXTS.replace(line, "")})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Field(3,", "Field(4,"),
        ("if not items", "if items"),
        ("raise ValueError(", "raise KeyError("),
        ("item + Options", "item - Options"),
        ("from tqdm import tqdm", "from tqdm.auto import tqdm"),
    ],
)
def test_what_stands_beside_text_counts(package, old, new):
    assert not same(package, BASE | {"stage": TEXTS}, BASE | {"stage": TEXTS.replace(old, new)})


TYPED = {
    "config": """
from pydantic import Field, model_validator
from microgesture.config.base import Settings

class Recipe(Settings):
    size: int = Field(4)
    sees = ("rgb",)

    @model_validator(mode="after")
    def check(self):
        return 1

    def area(self):
        return self.size**2

class Step(Settings):
    recipe: Recipe
""",
    "data": "class Clip:\n    length: int = 1\n\n    def twice(self):\n        return 2 * self.length\n",
    "stage": "from .config import Step\nfrom .data import Clip\n\ndef run(step: Step, clip: Clip | None):\n"
    "    return step.recipe.area() * clip.twice()\n",
}


@pytest.mark.parametrize(
    ("module", "old", "new", "counts"),
    [
        ("config", "self.size**2", "self.size**3", True),
        ("config", "('rgb',)", "('flow',)", True),
        ("config", "Field(4)", "Field(5)", False),  # the value is in the step's settings
        ("config", "return 1", "return 2", False),
        ("data", "2 * ", "3 * ", True),
        ("data", "int = 1", "int = 2", True),
    ],
)
def test_the_methods_of_arguments_count_and_no_defaults_of_settings(package, module, old, new, counts):
    files = TYPED | {"config": TYPED["config"].replace('"rgb"', "'rgb'")}
    assert same(package, files, files | {module: files[module].replace(old, new)}) != counts


def test_types_in_strings_and_for_checkers_alone_are_followed(package):
    stage = TYPED["stage"].replace("Clip | None", '"Clip | None"')
    stage = "from typing import TYPE_CHECKING\n" + stage.replace("from .data", "if TYPE_CHECKING:\n    from .data")
    files = TYPED | {"stage": stage}
    assert not same(package, files, files | {"data": files["data"].replace("2 * ", "3 * ")})


def test_what_an_import_runs_counts_wherever_it_is(package):
    files = BASE | {"tool": "from . import other\n" + BASE["tool"], "other": "import sys\n\nsys.path.append('a')\n"}
    assert not same(package, files, files | {"other": "import sys\n\nsys.path.append('b')\n"})
    assert same(package, files, files | {"other": files["other"] + "\nif __name__ == '__main__':\n    print(1)\n"})


def test_what_a_decorator_of_ours_keeps_counts(package):
    kept = "from .other import keep\n\n@keep\ndef h(x):\n    return x\n"
    files = BASE | {
        "tool": BASE["tool"] + kept,
        "other": "TABLE = []\n\ndef keep(f):\n    TABLE.append(f)\n    return f\n",
    }
    assert not same(
        package, files, files | {"tool": files["tool"].replace("def h(x):\n    return x", "def h(x):\n    return 2")}
    )


def test_a_table_that_the_code_reads_counts(package):
    root = package(**BASE)
    (root / "table.json").write_text("[1]")
    before = digest(root, files=["table.json"])
    (root / "table.json").write_text("[2]")
    assert digest(root, files=["table.json"]) != before


def test_a_package_on_the_path_is_an_entry_and_other_packages_do_not_count(package, tmp_path, monkeypatch):
    root = package(**BASE)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "lab_networks").mkdir(parents=True)
    (elsewhere / "lab_networks" / "__init__.py").write_text("")
    (elsewhere / "lab_helper.py").write_text("def h():\n    return 1\n")
    network = elsewhere / "lab_networks" / "tiny.py"
    network.write_text("from pack.tool import f\nfrom lab_helper import h\n\ndef build():\n    return f(1) + h()\n")
    monkeypatch.syspath_prepend(elsewhere)
    before = digest(root, "lab_networks.tiny")
    assert "lab_networks.tiny" not in sys.modules
    (elsewhere / "lab_helper.py").write_text("def h():\n    return 2\n")
    assert digest(root, "lab_networks.tiny") == before
    package(**BASE | {"tool": "def f(x):\n    return -x\n"})
    changed = digest(root, "lab_networks.tiny")
    assert changed != before
    network.write_text(network.read_text().replace("f(1)", "f(2)"))
    assert digest(root, "lab_networks.tiny") != changed
