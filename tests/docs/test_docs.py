import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer
import yaml
from pydantic import TypeAdapter

from fixtures.rules import rule_texts
from microgesture.cli import app
from microgesture.config.recipes import Recipe
from microgesture.config.whole import Config

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TEXTS = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def read(page):
    return page.read_text(encoding="utf-8")


def module(name):
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.slow
def test_the_site_is_built_strictly_and_asks_nothing_of_other_machines(tmp_path):
    site = tmp_path / "site"
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    pages = sorted(site.glob("*.html"))
    assert {"index.html", "tutorial.html", "settings.html", "cluster.html"} <= {page.name for page in pages}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)\b[^>]*\bsrc="?([^">\s]+)', text)
        loaded += re.findall(r'<link\b[^>]*\brel="?stylesheet"?[^>]*\bhref="?([^">\s]+)', text)
        assert loaded
        assert not [address for address in loaded if re.match(r"(https?:)?//", address)], page.name


def test_links_to_files_of_the_project_lead_somewhere():
    for page in TEXTS:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", read(page)):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_configurations_that_pages_show_are_real():
    examples = [
        (page.name, text) for page in TEXTS for text in re.findall(r"^```yaml\n(.*?)^```", read(page), re.S | re.M)
    ]
    assert examples
    for name, text in examples:
        for key, value in yaml.safe_load(text).items():
            assert key in Config.model_fields, f"{name}: {key}"
            TypeAdapter(Config.model_fields[key].annotation).validate_python(value)
    for page in TEXTS:
        for file in re.findall(r"\bconfig/\w+\.yaml\b", read(page)):
            assert (ROOT / file).exists(), f"{page.name}: {file}"


def test_diffs_that_pages_show_fit_the_files():
    blocks = re.findall(r"^```diff\n(.*?)^```", read(DOCS / "extending.md"), re.S | re.M)
    parts = re.findall(r"^--- (\S+)\n\+\+\+ b/(\S+)\n(.*?)(?=^--- |\Z)", "".join(blocks), re.S | re.M)
    assert len(parts) == 2 * len(blocks) == 12
    for old, path, lines in parts:
        assert (ROOT / path).exists() == (old != "/dev/null"), path
        kept = [line[1:] for line in lines.splitlines() if line[:1] in (" ", "-") and line.strip()]
        missing = set(kept) - set(read(ROOT / path).splitlines() if kept else ())
        assert not missing, path


def test_keys_that_pages_name_are_real():
    groups = {name: field.annotation for name, field in Config.model_fields.items()}
    groups["recipe"] = Recipe
    groups = {name: model for name, model in groups.items() if hasattr(model, "model_fields")}
    named = [
        (page.name, *found)
        for page in TEXTS
        for found in re.findall(rf"`({'|'.join(groups)})\.(?!csv|html|yaml)([a-z_]+)(?:: [^`]*)?`", read(page))
    ]
    assert len(named) > 5
    assert not [found for found in named if found[2] not in groups[found[1]].model_fields]


def commands_of(program):
    """The commands in code blocks and in lines, with the page that shows them; lines that end with \\ go on."""
    for page in TEXTS:
        text = re.sub(r" \\\n\s*", " ", read(page))
        blocks = re.findall(r"^(?:```(?:bash)?\n(.*?)^```|((?:    .*\n)+))", text, re.S | re.M)
        lines = [line.strip() for block in blocks for part in block for line in part.splitlines()]
        for line in lines + re.findall(rf"`({program} [^`]+)`", text):
            for command in line.split(" && "):
                if command.startswith(program + " "):
                    yield page.name, shlex.split(command, comments=True)[1:]


def test_commands_that_pages_show_are_real():
    application = typer.main.get_command(app)
    shown = list(commands_of("microgesture"))
    assert {words[0] for _, words in shown} >= {
        "init",
        "doctor",
        "preflight",
        "verify",
        "export",
        "predict-videos",
        "view",
    }
    for page, (name, *words) in shown:
        if name == "--help":
            continue
        command = application.commands.get(name)
        assert command, f"{page}: microgesture {name}"
        context = click.Context(command, info_name=name)
        try:
            given, _, _ = command.make_parser(context).parse_args(words)
        except click.UsageError as error:
            pytest.fail(f"{page}: microgesture {name} {shlex.join(words)}: {error.format_message()}")
        missing = [one.name for one in command.params if one.required and not given.get(one.name)]
        assert not words or "--help" in words or not missing, f"{page}: microgesture {name} lacks {missing}"


def test_targets_and_options_of_snakemake_that_pages_show_are_real():
    from snakemake.cli import get_argument_parser  # slow to import, and only one test needs it

    parser = get_argument_parser()
    rules = set(rule_texts())
    shown = list(commands_of("snakemake"))
    assert shown
    for page, words in shown:
        given = parser.parse_args(words)
        for target in given.targets or ():
            assert "/" in target or target in rules | {"all"}, f"{page}: {target}"


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
    assert "| `device` | auto: a GPU if there is one | `auto`, `cpu`, `cuda` | `auto` |" in page
    assert "| `streams` | the networks, and their inputs | by name: [Stream](#stream) | required |" in page
    assert re.search(r"^\| `size` \| .*\| whole number, at least 8, at most 4096 \| `56` \|$", page, re.MULTILINE)


def test_sections_of_the_readme_are_found_and_their_links_moved():
    hooks = module("hooks")
    readme = "# a\n## One\n[b](docs/b.md) and [c](config.yaml), [d](https://d.org)\n## Two\nno\n"
    section = hooks.readme_section(readme, "One")
    assert section == "[b](b.md) and [c](../config.yaml), [d](https://d.org)"
    assert hooks.own_links(section) == "[b](b.md) and c, [d](https://d.org)"
    schema = "[key](../workflow/schemas/config.schema.json#recipe)"
    assert hooks.own_links(schema) == "[key](settings.md#recipe)"
    with pytest.raises(ValueError, match="no heading 'Three'"):
        hooks.readme_section(readme, "Three")


def tables_of(page):
    """The tables of a page by their first row."""
    return {rows[0]: rows for part in re.findall(r"(?:^\|.*\n)+", read(page), re.M) for rows in [part.splitlines()]}


def test_a_table_of_figures_is_the_same_wherever_it_stands():
    seen = {}
    for page in TEXTS:
        for head, rows in tables_of(page).items():
            if any(re.search(r"\| \**\d\.\d", row) for row in rows):
                first, known = seen.setdefault(head, (page.name, rows))
                assert known == rows, f"{page.name} and {first}: {head}"
    assert seen
