"""MkDocs hooks: add the configuration reference, insert sections of the README, and unlink files that are not pages."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

DOCS = Path(__file__).resolve().parent
_LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#)([^)]+)\)")
_FROM_README = re.compile(r"^See \[(.+)\]\(\.\./README\.md#.+\) in the README\.$", re.MULTILINE)
_SCHEMA = "../workflow/schemas/config.schema.json"  # in the checkout it stands for the page of settings


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the configuration reference, which is made from the schema."""
    settings = _module("settings_page")
    files.append(File.generated(config, "settings.md", content=settings.settings_page(settings.read_schema())))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Insert the sections of the README that a page names, and replace links to other files by their text."""
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    return own_links(_FROM_README.sub(lambda found: readme_section(readme, found[1]), markdown))


def readme_section(readme: str, heading: str) -> str:
    """Return the text under a heading of the README, up to the next heading, with links relative to ``docs``.

    Raises ``ValueError`` if the README has no such heading.
    """
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"README.md has no heading '{heading}', which a page of docs inserts; correct that page")
    return _LINK.sub(lambda link: f"[{link[1]}]({_from_docs(link[2])})", found[1].strip())


def own_links(markdown: str) -> str:
    """Return the text with its links to pages and pictures; other links to files become plain text.

    Links to the schema of the configuration become links to the page that is made from it.
    """

    def kept(link: re.Match[str]) -> str:
        target, _, part = link[2].partition("#")
        if target == _SCHEMA:
            return f"[{link[1]}](settings.md{part and f'#{part}'})"
        return link[0] if not target.startswith("..") else link[1]

    return _LINK.sub(kept, markdown)


def _from_docs(target: str) -> str:
    return target.removeprefix("docs/") if target.startswith("docs/") else f"../{target}"


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
