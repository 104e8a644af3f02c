"""Text for terminals and logs, in which names of files and labels are plain text, whatever characters they have."""

import logging
import re

from rich.console import Console
from rich.text import Text

_PLURALS = {"class": "classes", "person": "people"}
# Control characters but line breaks and tabs, characters that change the direction of text, and undecodable bytes.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def counted(number: int, noun: str) -> str:
    """A number with its noun, given in the singular: ``1 class``, ``2 classes``."""
    return f"{number} {noun if number == 1 else _PLURALS.get(noun, noun + 's')}"


def visible(text: str) -> str:
    """The text with the escapes (such as ``\\x1b``) of characters that a terminal would obey or could not show."""
    return _HARMFUL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class VisibleFormatter(logging.Formatter):
    """Formats log messages as ``visible`` text."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


class PlainConsole(Console):
    """A console for tables and sentences that shows all strings as they are: without markup, colours or emoji."""

    def __init__(self) -> None:
        super().__init__(soft_wrap=True, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **options: object) -> Text:
        return super().render_str(visible(text), **options)
