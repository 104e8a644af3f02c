"""Traversal of syntax trees, faster than in ``ast``."""

import ast
from collections.abc import Iterator


def children(node: ast.AST) -> list[ast.AST]:
    """The direct children of a node, except contexts such as ``Load``."""
    found = []
    for field in node._fields:
        if field != "ctx":
            value = getattr(node, field, None)
            if isinstance(value, list):
                found += [one for one in value if isinstance(one, ast.AST)]
            elif isinstance(value, ast.AST):
                found.append(value)
    return found


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all its descendants, like ``ast.walk`` but faster."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += children(one)


def tree(node: object) -> object:
    """The content of ``ast.dump`` as nested tuples, which is faster."""
    if isinstance(node, ast.AST):
        return type(node).__name__, *(tree(getattr(node, field, None)) for field in node._fields if field != "ctx")
    return [tree(one) for one in node] if isinstance(node, list) else node


def dotted(node: ast.AST) -> list[str] | None:
    """The words of a dotted name."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (words := dotted(node.value)):
        return [*words, node.attr]
    return None


def last_word(node: ast.AST) -> str:
    """The last word of a dotted name, or of the function in a call."""
    if isinstance(node, ast.Call):
        return last_word(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def parsed(text: str) -> ast.AST:
    """The expression in a text; the text itself if it is not an expression."""
    try:
        return ast.parse(text, mode="eval")
    except SyntaxError:
        return ast.Constant(text)
