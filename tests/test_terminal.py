import io
import logging

import pytest

from microgesture.cli import main
from microgesture.terminal import PlainConsole, VisibleFormatter, counted, visible


@pytest.mark.parametrize("text", ["Grüße, 手を振る", "a\tb\nc", "नमस्ते 👩‍🔬", "", "[/x] [bold]"])
def test_readable_text_stays_as_it_is(text):
    assert visible(text) == text


@pytest.mark.parametrize(
    ("harmful", "escaped"),
    [("\x1b[2J", r"\x1b[2J"), ("a\rb", r"a\rb"), ("\x9b", r"\x9b"), ("\u202egpj", r"\u202egpj"), ("\udcff", r"\udcff")],
)
def test_what_a_terminal_would_obey_is_escaped(harmful, escaped, monkeypatch):
    assert visible(harmful) == escaped
    record = logging.LogRecord("name", logging.INFO, "", 0, harmful, None, None)
    assert VisibleFormatter("%(message)s").format(record) == escaped
    monkeypatch.setattr("sys.stdout", printed := io.StringIO())
    PlainConsole().print(harmful)
    assert printed.getvalue() == f"{escaped}\n"


def test_an_error_shows_a_name_as_plain_text(tmp_path, capsys):
    (tmp_path / "clips\x1b[31m.parquet").touch()
    named = str(tmp_path / "clips\x1b[31m.parquet")
    assert main(["quarantine", "--output", str(tmp_path / "out"), named]) == 1
    printed = capsys.readouterr().err
    assert "\x1b" not in printed
    assert r"clips\x1b[31m.parquet" in printed


def test_a_noun_after_one_is_in_the_singular():
    assert [counted(number, "class") for number in (0, 1, 2)] == ["0 classes", "1 class", "2 classes"]
    assert counted(2, "test clip") == "2 test clips"
