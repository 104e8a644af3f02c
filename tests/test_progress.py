import io
import sys

import pytest

from microgesture import progress as bars


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self):
        return True


def writing_to(stream, monkeypatch):
    """In a test itself, for pytest puts its own stream there at the start of each."""
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_a_terminal_sees_the_share_done_and_the_time_left(monkeypatch):
    terminal = writing_to(Terminal(), monkeypatch)
    assert list(bars.progress(iter("abc"), "flow", total=3)) == ["a", "b", "c"]
    assert "flow:   0%|" in terminal.getvalue()
    assert "3/3 [00:00<00:00" in terminal.getvalue()


def test_without_a_terminal_there_is_one_line_at_the_end(monkeypatch):
    pipe = writing_to(io.StringIO(), monkeypatch)
    assert [pipe.getvalue() for _ in bars.progress(range(3), "flow", total=3)] == ["", "", ""]
    assert pipe.getvalue().startswith("flow: 3 clips in ")
    assert pipe.getvalue().count("\n") == 1
    assert "\r" not in pipe.getvalue()


def test_without_a_terminal_long_work_tells_from_time_to_time_how_much_is_left(monkeypatch):
    pipe, seconds = writing_to(io.StringIO(), monkeypatch), iter(range(0, 10_000, 40))
    monkeypatch.setattr(bars.time, "monotonic", lambda: next(seconds))
    list(bars.progress(range(20, 24), "train joint", 24, "epoch", done=20))
    assert pipe.getvalue().splitlines()[:3] == [
        "train joint: epoch 21 of 24, 2 min left",
        "train joint: epoch 22 of 24, 80 s left",
        "train joint: epoch 23 of 24, 40 s left",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (99, "99 s"), (700, "12 min"), (3900, "1 h 5 min")])
def test_a_time_is_told_in_the_unit_that_suits_it(seconds, text):
    assert bars.duration(seconds) == text


def two_of_three_epochs():
    history = []
    for epoch in bars.progress(range(1, 3), "train joint", 3, "epoch", done=1, results=lambda: f"loss {history[-1]}"):
        history.append(1.5 - epoch)


def test_results_stand_beside_the_bar(monkeypatch):
    terminal = writing_to(Terminal(), monkeypatch)
    two_of_three_epochs()
    assert "train joint: 100%|" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()
    assert "loss -0.5" in terminal.getvalue()


def test_results_stand_at_the_end_of_the_line(monkeypatch):
    pipe = writing_to(io.StringIO(), monkeypatch)
    two_of_three_epochs()
    assert pipe.getvalue().startswith("train joint: 2 epochs in ")
    assert pipe.getvalue().endswith(" s, loss -0.5\n")


def test_a_work_that_is_done_shows_nothing(monkeypatch):
    pipe = writing_to(io.StringIO(), monkeypatch)
    assert list(bars.progress(range(3, 3), "train joint", 3, "epoch", done=3, results=lambda: 1 / 0)) == []
    assert pipe.getvalue() == ""


def test_a_long_part_has_a_second_bar_that_goes_away(monkeypatch):
    terminal = writing_to(Terminal(), monkeypatch)
    monkeypatch.setattr(bars, "BRIEF", 0)
    assert list(bars.progress(range(4, 6), "epoch 3", 6, done=4, part=True)) == [4, 5]
    assert "epoch 3:  67%|" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")


def test_a_brief_part_has_none(monkeypatch):
    terminal = writing_to(Terminal(), monkeypatch)
    assert list(bars.progress(range(2), "epoch 3", 2, part=True)) == [0, 1]
    assert terminal.getvalue().strip() == ""


def test_a_part_is_never_seen_without_a_terminal_or_if_it_is_quiet(monkeypatch):
    pipe = writing_to(io.StringIO(), monkeypatch)
    monkeypatch.setattr(bars, "BRIEF", 0)
    assert list(bars.progress(range(2), "epoch 3", 2, part=True)) == [0, 1]
    terminal = writing_to(Terminal(), monkeypatch)
    assert list(bars.progress(range(2), "epoch 3", 2, part=True, quiet=True)) == [0, 1]
    assert pipe.getvalue() == terminal.getvalue() == ""


def test_a_bar_inside_another_one_is_a_part(monkeypatch):
    pipe = writing_to(io.StringIO(), monkeypatch)
    for _ in bars.progress(range(2), "windows", total=2, unit="piece"):
        assert list(bars.progress(range(3), "flow", total=3)) == [0, 1, 2]
    assert list(bars.progress(range(3), "depth", total=3)) == [0, 1, 2]
    lines = pipe.getvalue().splitlines()
    assert [line.partition(" in ")[0] for line in lines] == ["windows: 2 pieces", "depth: 3 clips"]


def test_a_bar_that_is_left_early_does_not_make_the_next_one_a_part(monkeypatch):
    pipe = writing_to(io.StringIO(), monkeypatch)
    left = bars.progress(range(3), "flow", total=3)
    next(left)
    left.close()
    assert list(bars.progress(range(1), "depth", total=1)) == [0]
    assert pipe.getvalue().startswith("depth: 1 clip in")


def test_a_part_of_a_bar_goes_away_from_a_terminal(monkeypatch):
    terminal = writing_to(Terminal(), monkeypatch)
    monkeypatch.setattr(bars, "BRIEF", 0)
    for _ in bars.progress(range(1), "windows", total=1):
        list(bars.progress(range(2), "flow", total=2))
    last = [part for part in terminal.getvalue().split("\r") if part.strip()]
    assert any(part.startswith("flow") for part in last)
    assert "windows: 100%" in last[-1]
