"""What mkdocs does beside turning pages into HTML: the page of settings, and links to files that are no pages."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

DOCS = Path(__file__).resolve().parent
_LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#)([^)]+)\)")
_FROM_README = re.compile(r"^<!-- README: (.+) -->$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page of settings, which is made from the schema."""
    settings = _module("settings_page")
    files.append(File.generated(config, "settings.md", content=settings.settings_page(settings.read_schema())))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Fill in the README's sections that a page asks for, and keep of links to files that are no pages their text."""
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    return own_links(_FROM_README.sub(lambda found: readme_section(readme, found[1]), markdown))


def readme_section(readme: str, heading: str) -> str:
    """The text under a heading of the README, up to the next one, its links written as from ``docs``.

    Raises ``ValueError`` if there is no such heading.
    """
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"README.md has no heading '{heading}', which a page of docs asks for; name another one there")
    return _LINK.sub(lambda link: f"[{link[1]}]({_from_docs(link[2])})", found[1].strip())


def own_links(markdown: str) -> str:
    """The text with its links to pages and pictures, and of other links to files of the project only the words."""

    def kept(link: re.Match[str]) -> str:
        target = link[2].partition("#")[0]
        return link[0] if not target.startswith("..") else link[1]

    return _LINK.sub(kept, markdown)


def _from_docs(target: str) -> str:
    return target.removeprefix("docs/") if target.startswith("docs/") else f"../{target}"


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
