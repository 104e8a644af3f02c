"""Digests of the definitions of one module, without text that only people read.

The digests leave out comments, docstrings, arguments of raised exceptions, logging, progress bars, descriptions of
settings, annotations of functions, and variables that only such text uses.
"""

import ast
import functools
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .syntax import children, dotted, last_word, parsed, tree, walk

LOGGERS = {"log", "logger", "logging", "warnings"}
LOGGING = {"debug", "info", "warning", "warn", "error", "exception", "critical", "log"}
BARS = {"set_postfix_str", "set_postfix", "set_description", "set_description_str"}
PROGRESS = {"progress", "part_progress"}  # they return their first argument
ERRORS = {"InputError", "UnusableClip"}
TEXTS = {"Field": {"description", "title", "examples"}, "Option": {"help"}, "Argument": {"help"}}
TEXTS["tqdm"] = {"desc", "unit", "total", "initial", "dynamic_ncols", "disable", "leave", "delay"}
VALIDATORS = {"model_validator", "field_validator"}  # they run before settings are written
HARMLESS = {"join", "format", "items", "keys", "values", "replace", "strip", "partition", "isatty", "monotonic"}
HARMLESS |= {"len", "sorted", "str", "repr", "min", "max", "sum", "list", "tuple", "set", "dict", "enumerate", "zip"}
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Function = ast.FunctionDef | ast.AsyncFunctionDef
Import = ast.Import | ast.ImportFrom


class Side(NamedTuple):
    """A digest of code, the dotted names that it uses, those used only as types, and the modules that it imports."""

    digest: str
    uses: frozenset[str]
    types: frozenset[str]
    loads: frozenset[str]


class Part(NamedTuple):
    """The definition of a name in a module: the ``whole``, and for a class also its ``methods`` alone.

    Typed fields and validators of a class do not count as methods. ``is_alias`` is true for an assignment, which may
    be an alias of a type.
    """

    whole: Side
    methods: Side | None
    bases: tuple[str, ...]
    is_alias: bool


class Code:
    """The definitions of a module, its imports by name, and the modules that importing it ``loads``.

    ``decorated`` are pairs of the names of a definition and of its decorator.
    """

    def __init__(self, path: Path, module: str) -> None:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        self._scope = _Scope(module, package, body)
        self._cleaned: dict[int, tuple[ast.stmt, frozenset[str]]] = {}
        self._parts: dict[str, Part] = {}
        self._effects = [statement for statement in body if _is_effect(statement)]
        self.imports = self._scope.imports
        self.loads = tuple(dict.fromkeys(self._scope.loads(body)))
        self.decorated = tuple(
            (node.name, used)
            for node in body
            if isinstance(node, Definition)
            for decorator in node.decorator_list
            for used in self._scope.uses(decorator)
        )

    def __contains__(self, name: str) -> bool:
        return name in self._scope.own

    def __iter__(self) -> Iterator[str]:
        return iter(self._scope.own)

    @functools.cached_property
    def effects(self) -> Part | None:
        """The statements that do more than bind names."""
        return self._made(self._effects) if self._effects else None

    def part(self, name: str) -> Part:
        """The definition of a name in the module."""
        if name not in self._parts:
            self._parts[name] = self._made(self._scope.own[name])
        return self._parts[name]

    def _made(self, nodes: list[ast.stmt]) -> Part:
        for node in nodes:
            if id(node) not in self._cleaned:
                types = self._scope.types(node)  # cleaning removes them
                self._cleaned[id(node)] = _Meaning().visit(node), types
        kept = [self._cleaned[id(node)][0] for node in nodes]
        types = frozenset().union(*(self._cleaned[id(node)][1] for node in nodes))
        last = kept[-1]
        is_class = isinstance(last, ast.ClassDef)
        bases = tuple(name for base in last.bases for name in self._scope.uses(base)) if is_class else ()
        methods = self._scope.side([_methods_of(last)], types) if is_class else None
        return Part(self._scope.side(kept, types), methods, bases, isinstance(last, ast.Assign))


class _Scope:
    """The names of a module: its ``own``, with the statements that bind them, and the full names of its ``imports``."""

    def __init__(self, module: str, package: str, body: Iterable[ast.stmt]) -> None:
        self._module, self._package = module, package
        self.own: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, str] = {}
        for statement in body:
            for name in _bound(statement):
                self.own.setdefault(name, []).append(statement)
            self.imports |= self._imported(_inside(statement))

    def side(self, nodes: list[ast.stmt], types: frozenset[str]) -> Side:
        """The digest and the names of some statements, without text and annotations."""
        uses = frozenset(name for node in nodes for name in self.uses(node))
        loads = frozenset(self.loads(one for node in nodes for one in walk(node) if isinstance(one, Import)))
        text = repr([[tree(node) for node in nodes], sorted(uses)])
        return Side(hashlib.sha256(text.encode()).hexdigest(), uses, types, loads)

    def uses(self, node: ast.AST) -> set[str]:
        """The dotted names that some code uses, of its own module or of imports, without types."""
        names, imports = [], []
        waiting = [node]
        while waiting:
            one = waiting.pop()
            if (words := dotted(one)) is not None:
                names.append(words)
            elif isinstance(one, Import):
                imports.append(one)
            elif isinstance(one, ast.AnnAssign):
                waiting += [one.value] if one.value else []
            else:
                waiting += children(one)
        found = {self._base(one) for one in imports if one.names[0].name == "*"}
        known = self.imports | self._imported(imports) if imports else self.imports
        for name, *rest in names:
            if name in known:
                found.add(".".join([known[name], *rest]))
            elif name in self.own:
                found.add(f"{self._module}.{name}")
        return found

    def types(self, node: ast.AST) -> frozenset[str]:
        """The dotted names in the annotations of some code, including annotations that are strings."""
        found: set[str] = set()
        for one in walk(node):
            annotation = one.returns if isinstance(one, Function) else getattr(one, "annotation", None)
            if annotation is not None:
                found |= self.uses(annotation)
                for text in walk(annotation):
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        found |= self.uses(parsed(text.value))
        return frozenset(found)

    def loads(self, nodes: Iterable[ast.AST]) -> Iterator[str]:
        """The modules that import statements load, and the names in them, which may be modules too."""
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (self._base(node), *(f"{self._base(node)}.{alias.name}" for alias in node.names))
            elif isinstance(node, ast.stmt) and not isinstance(node, Definition) and not _is_unseen(node):
                yield from self.loads(one for one in _inside(node) if one is not node)

    def _imported(self, nodes: Iterable[ast.AST]) -> dict[str, str]:
        found = {}
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    found[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                found |= {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}
        return found

    def _base(self, node: ast.ImportFrom) -> str:
        words = self._package.split(".")
        parents = words[: len(words) - node.level + 1] if node.level else []
        return ".".join([*parents, *([node.module] if node.module else [])])


class _Meaning(ast.NodeTransformer):
    """Removes from code the text that only people read."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.stmt | ast.excepthandler):
            _tidy(node)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return ast.Pass() if _is_text(node.value) else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            # A function that creates an exception counts as part of its message.
            made = last_word(node.exc.func)
            node.exc = ast.Constant(made) if made.lstrip("_")[:1].islower() else node.exc.func
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = last_word(node.func)
        if name in PROGRESS and node.args:
            return self.visit(node.args[0])
        if name in ERRORS:
            node.args, node.keywords = [], []
        node.keywords = [keyword for keyword in node.keywords if keyword.arg not in TEXTS.get(name, ())]
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        self.generic_visit(node)
        _leave_out_unused(node)
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        fields = {id(one): one.annotation for one in node.body if isinstance(one, ast.AnnAssign)}
        body = []
        for one in node.body:
            if id(one) in fields:
                one.value = one.value and self.visit(one.value)
                one.annotation = self.visit(one.annotation)
                body.append(one)
            else:
                body.append(self.visit(one))
        node.body = body
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        _tidy(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return ast.Pass()
        return self.generic_visit(ast.Assign(targets=[node.target], value=node.value))


def _methods_of(node: ast.ClassDef) -> ast.ClassDef:
    """A settings class without fields, validators and renamed keys, whose effect is in the settings of a step."""
    body = [
        one
        for one in node.body
        if not (isinstance(one, ast.AnnAssign) and "ClassVar" not in ast.dump(one.annotation))
        and not (isinstance(one, Function) and VALIDATORS & {last_word(by) for by in one.decorator_list})
        and not {"renamed", "model_config"} & set(_bound(one))
    ]
    return ast.ClassDef(node.name, node.bases, node.keywords, body or [ast.Pass()], node.decorator_list)


def _bound(statement: ast.AST) -> Iterator[str]:
    """The names that a statement binds in its module, except imports."""
    for node in _inside(statement):
        if isinstance(node, Definition):
            yield node.name
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            for one in walk(target) if target else ():
                if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                    yield one.id


def _inside(statement: ast.AST) -> Iterator[ast.stmt]:
    """A statement and the statements in it, except the bodies of definitions."""
    yield statement
    if not isinstance(statement, Definition):
        blocks = [getattr(statement, field, []) for field in ("body", "orelse", "finalbody")]
        blocks += [handler.body for handler in getattr(statement, "handlers", ())]
        for one in (one for block in blocks for one in block):
            yield from _inside(one)


def _is_effect(statement: ast.stmt) -> bool:
    """Whether a statement of a module may do more than bind names."""
    if isinstance(statement, ast.Assign):
        return any(isinstance(one, ast.Subscript | ast.Attribute) for one in statement.targets)
    if isinstance(statement, ast.ImportFrom):
        return statement.names[0].name == "*"
    return not isinstance(statement, Definition | ast.AnnAssign | ast.AugAssign | ast.Import | ast.Pass) and not (
        _is_unseen(statement) or (isinstance(statement, ast.Expr) and _is_text(statement.value))
    )


def _is_unseen(statement: ast.stmt) -> bool:
    """Whether a statement does nothing in an imported module, because it is for type checkers or for scripts."""
    tested = ast.dump(statement.test) if isinstance(statement, ast.If) else ""
    return "TYPE_CHECKING" in tested or "__main__" in tested


def _is_text(value: ast.expr) -> bool:
    """Whether an expression statement is a docstring, a log message or a progress message."""
    if isinstance(value, ast.Constant):
        return True
    if not isinstance(value, ast.Call):
        return False
    if isinstance(value.func, ast.Attribute):
        of = last_word(value.func.value)
        return value.func.attr in BARS or (value.func.attr in LOGGING and of.lstrip("_") in LOGGERS)
    to = [ast.dump(keyword.value) for keyword in value.keywords if keyword.arg == "file"]
    return last_word(value.func) == "print" and any("stderr" in text for text in to)


def _leave_out_unused(function: ast.AST) -> None:
    """Remove variables that nothing reads, if computing their values has no side effects."""
    while True:
        nodes = list(walk(function))
        read = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store)}
        read.update(name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names)
        assigned = [(node, _plain_names(node)) for node in nodes if isinstance(node, ast.Assign)]
        left = {id(node) for node, names in assigned if names and not names & read and _is_harmless(node.value)}
        if not left:
            return
        for node in nodes:
            for block in _blocks(node):
                block[:] = [ast.Pass() if id(one) in left else one for one in block]
            if isinstance(node, ast.stmt | ast.excepthandler):
                _tidy(node)


def _plain_names(node: ast.Assign) -> set[str]:
    """The names that an assignment binds; none if it binds anything else."""
    targets = [part for one in node.targets for part in (one.elts if isinstance(one, ast.Tuple) else [one])]
    return {one.id for one in targets} if all(isinstance(one, ast.Name) for one in targets) else set()


def _is_harmless(value: ast.expr) -> bool:
    return all(
        last_word(node.func) in HARMLESS if isinstance(node, ast.Call) else not isinstance(node, _ACTS)
        for node in walk(value)
    )


_ACTS = ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr


def _tidy(node: ast.AST) -> None:
    """Remove statements that do nothing, except for one in an empty body."""
    for block in _blocks(node):
        block[:] = [one for one in block if not isinstance(one, ast.Pass)]
    if isinstance(getattr(node, "body", None), list) and not node.body and not isinstance(node, ast.Module):
        node.body = [ast.Pass()]


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    blocks = (getattr(node, field, None) for field in ("body", "orelse", "finalbody"))
    return (block for block in blocks if isinstance(block, list))
