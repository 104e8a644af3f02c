"""Damage to files, drawn by Hypothesis: bytes changed anywhere, and for csv cells and rows that nobody should write."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microgesture.errors import InputError, UnusableClip

# What a test does few times in passing and 500 times among the long ones.
fuzzed = pytest.mark.parametrize("examples", [25, pytest.param(500, marks=pytest.mark.slow)])

_ODD_BYTES = [
    *(b"\xef\xbb\xbf", b"\0", b'"', b"\r", b"\n", b"\r\n", b"\n\n", b",", b",,,", b";", b"\t", b" ", b"_", b"-", b"."),
    *(
        b"e9",
        b"=1+1",
        b"\xff",
        b"\xe9",
        "\u2028".encode(),
        "\u0663".encode(),
        b"\x0b",
        b"\x1c",
        b"9" * 400,
        b"NaN",
        b"'",
    ),
]
ODD_CELLS = [
    *(
        "",
        " ",
        "0",
        "-1",
        "1",
        "7",
        "31",
        "32",
        "99",
        "99.0",
        "7.5",
        "+7",
        "1e1",
        "1_0",
        "1e400",
        "9" * 5000,
        "9" * 100_000 + "x",
        "nan",
    ),
    *("2147483646", "2147483647", "2147483648", "inf", "=1+1", "=cmd|'/c calc'!A1", "@SUM(A1)", "\u0663", "\uff17"),
    *("x", "None", "\0", "\x1b[2J", "a\u2028b", '"', '""', "two words", "a;b", "../../../etc/passwd", "y" * 300),
    *("train", "wave", "\u00e9"),
]


def attempt(read: Callable[..., Any], *arguments: object) -> tuple[Any, str | None]:
    """What a reader gives and None, or None and what it says is wrong; it fails for every other error."""
    try:
        return read(*arguments), None
    except (InputError, UnusableClip) as error:
        return None, str(error)


def fuzz(property: Callable[[object], None], mutations: st.SearchStrategy, examples: int) -> None:
    """Try the property on that many mutations, the same ones in every run."""
    given(mutations)(
        settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )(property)
    )()


@st.composite
def damaged(draw: st.DrawFn, data: bytes, inserted: Sequence[bytes] = _ODD_BYTES) -> bytes:
    """The bytes with one to three places flipped, overwritten, cut out, doubled or added to, or the end cut off."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.sampled_from([1, 1, 2, 5, 40]))
        match draw(st.sampled_from(["flip", "write", "cut", "double", "insert", "zero", "end"])):
            case "flip":
                flipped = bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) if data else b""
                data = data[:at] + flipped + data[at + 1 :]
            case "write":
                data = data[:at] + draw(st.binary(min_size=length, max_size=length)) + data[at + length :]
            case "cut":
                data = data[:at] + data[at + length :]
            case "double":
                data = data[: at + length] + data[at:]
            case "insert":
                data = data[:at] + draw(st.sampled_from(inserted)) + data[at:]
            case "zero":
                data = data[:at] + bytes(len(data[at : at + length])) + data[at + length :]
            case "end":
                data = data[:at]
    return data


def reencoded(data: bytes) -> st.SearchStrategy[bytes]:
    """The same text in other encodings and with other line ends."""
    text = data.decode()
    encodings = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp500"]
    ends = ["\n", "\r\n", "\r", "\n\n", "\r\r\n", " \n"]
    return st.builds(
        lambda encoding, end, last: (end.join(text.splitlines()) + end * last).encode(encoding),
        st.sampled_from(encodings),
        st.sampled_from(ends),
        st.booleans(),
    )


@st.composite
def changed_rows(draw: st.DrawFn, rows: Sequence[Sequence[str]]) -> bytes:
    """The rows as csv after one to three of them lost, gained or swapped cells, were doubled, lost or moved."""
    rows = [list(cells) for cells in rows]
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.integers(0, len(rows) - 1))
        cells = rows[row]
        column = draw(st.integers(0, max(len(cells) - 1, 0)))
        match draw(st.sampled_from(["odd", "odd", "odd", "less", "more", "swap", "twice", "gone", "moved", "bare"])):
            case "odd":
                cells[column : column + 1] = [draw(st.sampled_from(ODD_CELLS))]
            case "less":
                del cells[column:]
            case "more":
                cells.insert(column, draw(st.sampled_from(ODD_CELLS)))
            case "swap":
                cells.reverse()
            case "twice":
                rows.insert(row, list(cells))
            case "gone":
                rows = rows[:row] + rows[row + 1 :] or [[]]
            case "moved":
                rows.append(rows.pop(row))
            case "bare":
                rows.insert(row, [""] * len(cells))
    separator = draw(st.sampled_from([",", ",", ",", " , ", ";"]))
    return "".join(separator.join(map(_quoted, cells)) + "\n" for cells in rows).encode()


def _quoted(cell: str) -> str:
    return '"{}"'.format(cell.replace('"', '""')) if re.search('[",\n\r]', cell) else cell
