"""The results of checks, and their lines of text."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One result of a check; ``stops`` is true if it would stop a run."""

    about: str
    text: str
    stops: bool = False


def lines(findings: Iterable[Finding]) -> Iterator[tuple[str, bool]]:
    """Format findings as lines of text, each with whether it would stop a run."""
    last = ""
    for finding in findings:
        about = "" if finding.about == last else finding.about
        last = finding.about
        text = finding.text.replace("\n", f"\n{'':<27}")
        yield f"{'!' if finding.stops else ' '} {about:<24} {text}", finding.stops
