import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageDraw, features

from microgesture.videos import lettering
from microgesture.videos.lettering import can_write, shortened, width_of, wrapped, write

LACKING = "挥"  # a character that DejaVu Sans lacks


def picture(text, size=24, **how):
    image = Image.new("L", (600, 60), 255)
    write(ImageDraw.Draw(image), 4, 4, text, size, **how)
    return np.array(image)


@pytest.mark.parametrize("text", ["Wave", "Ärmel zupfen", "façade naïve señor", "Жест рукой", "χειρονομία", "$x$ <b>"])
def test_latin_greek_and_cyrillic_can_be_written(text):
    assert can_write(text)
    assert (picture(text) < 128).any()
    assert (picture(text) != picture(LACKING * len(text))).any()


@pytest.mark.skipif(not features.check("raqm"), reason="this Pillow cannot join Arabic letters")
def test_arabic_is_joined_and_runs_to_the_left():
    assert can_write("تلويح باليد")
    assert width_of("تلويح", 24) < sum(width_of(letter, 24) for letter in "تلويح")
    # The first letter stands on the right: its column is the last one that changes without it.
    whole, rest = picture("دورا"), picture("ورا")
    assert np.flatnonzero((whole < 128).any(0)).max() > np.flatnonzero((rest < 128).any(0)).max()
    assert (whole[:, :20] == rest[:, :20]).all()


def test_arabic_that_cannot_be_joined_cannot_be_written(monkeypatch):
    monkeypatch.setattr(features, "check", lambda name: False)
    assert not can_write("تلويح")
    assert can_write("Wave")


@pytest.mark.parametrize("text", ["挥手", "손 흔들기", "हाथ हिलाना", "wave 挥"])
def test_what_the_font_lacks_is_known(text):
    assert not can_write(text)


@pytest.mark.parametrize("text", ["", "word " * 40, "x" * 90, "an " + "unbreakable" * 9 + " word", "Ärmel Жест " * 9])
@pytest.mark.parametrize("width", [60, 200])
def test_lines_are_as_wide_as_they_may_be_and_lose_nothing(text, width):
    lines = wrapped(text, 12, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(width_of(line, 12) <= width for line in lines)
    assert all(width_of(f"{a} {b.split()[0]}", 12) > width for a, b in pairwise(lines) if " " in b)
    assert lines == [line.strip() for line in lines]


def test_what_is_written_is_as_wide_as_it_was_said_to_be():
    for bold in (False, True):
        columns = np.flatnonzero((picture("Hands on hips", bold=bold) < 200).any(0))
        assert columns.min() >= 4
        assert abs(columns.max() - 4 - width_of("Hands on hips", 24, bold)) < 5
    assert width_of("wave", 24, bold=True) > width_of("wave", 24)


@pytest.mark.parametrize("text", ["wave", "Touching or scratching facial parts (other)", "Ärmel zupfen " * 9])
def test_a_long_text_is_cut_where_it_would_be_too_wide_and_not_before(text):
    short = shortened(text, 14, 150)
    if width_of(text, 14) <= 150:
        assert short == text
        return
    assert short.endswith("…")
    assert text.startswith(short[:-1])
    assert 150 - 20 < width_of(short, 14) <= 150


def test_settings_of_matplotlib_in_the_current_folder_are_not_read(tmp_path):
    (tmp_path / "matplotlibrc").write_bytes(b"text.usetex: Tr\xe9")  # reading it would raise UnicodeDecodeError
    program = "from microgesture.videos.lettering import can_write; assert can_write('a')"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


def test_a_long_text_is_shortened_at_once(monkeypatch):
    measured = []
    width = lettering.width_of
    monkeypatch.setattr(lettering, "width_of", lambda *text: measured.append(text) or width(*text))
    assert len(shortened("w" * 1000, 14, 300)) < 40
    assert len(measured) < 20
