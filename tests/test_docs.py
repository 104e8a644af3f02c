import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from microgesture.config import Config

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def module(name):
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_the_site_is_built_strictly_and_asks_nothing_of_other_machines(site):
    pages = sorted(site.glob("*.html"))
    assert {"index.html", "tutorial.html", "settings.html", "cluster.html"} <= {page.name for page in pages}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)\b[^>]*\bsrc="?([^">\s]+)', text)
        loaded += re.findall(r'<link\b[^>]*\brel="?stylesheet"?[^>]*\bhref="?([^">\s]+)', text)
        assert loaded
        assert not [address for address in loaded if re.match(r"(https?:)?//", address)], page.name


def test_links_to_files_of_the_project_lead_somewhere():
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\((\.\./[^)#]+)", page.read_text(encoding="utf-8")):
            assert (DOCS / target).exists(), f"{page.name}: {target}"


def test_configurations_and_keys_that_pages_show_are_real():
    examples = [
        text for page in DOCS.glob("*.md") for text in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.S | re.M)
    ]
    assert examples
    for text in examples:
        assert set(yaml.safe_load(text)) <= set(Config.model_fields)
    for page in DOCS.glob("*.md"):
        for name in re.findall(r"\bconfig/\w+\.yaml\b", page.read_text()):
            assert (ROOT / name).exists(), f"{page.name}: {name}"


def test_every_key_of_every_group_is_on_the_page_of_settings():
    page = module("settings_page").settings_page(Config.model_json_schema())
    sections = {text.split(" {")[0]: text for text in page.split("\n## ")[1:]}
    schema = Config.model_json_schema()
    groups = {"The whole file": schema, **schema["$defs"]}
    assert set(sections) == set(groups)
    for name, group in groups.items():
        shown = re.findall(r"^\| `(\w+)` \|", sections[name], re.MULTILINE)
        assert shown == list(group.get("properties", {})), name


def test_a_key_is_shown_with_its_values_and_default():
    page = module("settings_page").settings_page(Config.model_json_schema())
    assert "| `device` | auto: a GPU where there is one | `auto`, `cpu`, `cuda` | `auto` |" in page
    assert "| `streams` | the networks, and what each sees | by name: [Stream](#stream) | required |" in page
    assert re.search(r"^\| `size` \| .*\| whole number, at least 8 \| `56` \|$", page, re.MULTILINE)


def test_sections_of_the_readme_are_found_and_their_links_moved():
    hooks = module("hooks")
    readme = "# a\n## One\n[b](docs/b.md) and [c](config.yaml), [d](https://d.org)\n## Two\nno\n"
    section = hooks.readme_section(readme, "One")
    assert section == "[b](b.md) and [c](../config.yaml), [d](https://d.org)"
    assert hooks.own_links(section) == "[b](b.md) and c, [d](https://d.org)"
    with pytest.raises(ValueError, match="no heading 'Three'"):
        hooks.readme_section(readme, "Three")
