"""Digests of what code means, so that a changed algorithm reruns its stage and a changed comment does not."""

import ast
import functools
import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path

_Documented = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def code_digest(root: Path, modules: Iterable[str], without: Collection[str] = (), files: Iterable[str] = ()) -> str:
    """A digest of the named modules and of every module below ``root`` that they import, directly or not.

    Taken over the syntax tree: comments, docstrings and formatting do not count. Nothing is imported. Modules named in
    ``without`` are left out, and so is what only they import. ``files`` are data below ``root``, taken byte by byte.
    """
    seen = {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in files}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in seen and module not in without:
            seen[module], imported = _module_digest(root, module)
            waiting.extend(imported)
    return hashlib.sha256(repr(sorted(seen.items())).encode()).hexdigest()[:12]


@functools.cache
def _module_digest(root: Path, module: str) -> tuple[str, frozenset[str]]:
    path = _source(root, module)
    if path is None:
        raise ModuleNotFoundError(f"no module {module} below {root}")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported.update(name for name in _imported_names(node, package) if _source(root, name))
        elif isinstance(node, _Documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), frozenset(imported)


def _imported_names(node: ast.Import | ast.ImportFrom, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        parents = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*parents, base] if base else parents)
    return [base, *(f"{base}.{alias.name}" for alias in node.names)]


def _source(root: Path, module: str) -> Path | None:
    base = root.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()), None)
