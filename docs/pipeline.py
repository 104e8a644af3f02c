"""Print the graph of the rules for ``docs/pipeline.md``, as Mermaid text: ``python docs/pipeline.py``.

Snakemake reports which rule uses the output of which. An arrow that follows from other arrows is left out.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = {"all", "list_quarantine"}
# Configurations that together use nearly all rules, and the targets of each.
DRAWN = {
    "mm_gesture_small": ("results/report.html",),
    "multitrack_small": ("results/report.html", "results/emotion/submission.csv"),
}


def rule_graph(name: str, targets: Sequence[str]) -> set[tuple[str, str]]:
    """Return pairs (rule, rule that uses its output) of a configuration in ``config/``."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", ROOT]
    command += [*targets, "--rulegraph", "mermaid-js", "--configfile", ROOT / f"config/{name}.yaml"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = dict(re.findall(r"^\s*(id\d+)\[(\w+)\]$", printed, re.MULTILINE))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", printed)}
    return {edge for edge in edges if not LEFT_OUT & set(edge)}


def without_shortcuts(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the edges that do not follow from other edges (transitive reduction); edges from a rule to itself stay."""

    def reaches(start: str, goal: str, first: tuple[str, str]) -> bool:
        waiting, seen = [start], set()
        while waiting:
            here = waiting.pop()
            for a, b in edges:
                if a == here and a != b and (a, b) != first and b not in seen:
                    if b == goal:
                        return True
                    seen.add(b)
                    waiting.append(b)
        return False

    return {(a, b) for a, b in edges if a == b or not reaches(a, b, (a, b))}


def mermaid() -> str:
    """Return the graph as Mermaid text; it is deterministic."""
    edges = sorted(without_shortcuts(set().union(*(rule_graph(*drawn) for drawn in DRAWN.items()))))
    label = {name: name.replace("_", " ") for edge in edges for name in edge}
    lines = ["flowchart LR", *(f"    {name}[{label[name]}]" for name in sorted(label))]
    lines += [f"    {a} -->|init| {b}" if a == b else f"    {a} --> {b}" for a, b in edges]
    return "\n".join(lines)


if __name__ == "__main__":
    print(mermaid())
