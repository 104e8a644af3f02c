import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgesture.errors import UnusableClip
from microgesture.storage.csv_files import csv_table
from microgesture.storage.names import Folders, normal_name, same_names

DECOMPOSED = unicodedata.normalize("NFD", "Zoë")


@pytest.mark.parametrize(
    "spelling",
    [
        "\uff33\uff10\uff11",
        "S\u0661",
        "S₁",
        "S01",
        "s1",
        " s001 ",
        "S1",
        "\ts1",
        "s\u200b1",
        "\ufeffS01",
        "\u017f1",
        "s\u00a0 1".replace("\u00a0 ", ""),
    ],
)
def test_spellings_of_one_name(spelling):
    assert normal_name(spelling) == normal_name("s1")


@pytest.mark.parametrize("spelling", ["1", "01", "1.0", "1.", "\uff11\uff0e\uff10", "१"])
def test_spellings_of_one_number(spelling):
    assert normal_name(spelling) == "1"


@pytest.mark.parametrize(
    "others",
    [
        ("s1", "s10"),
        ("s1", "s11"),
        ("s1", "t1"),
        ("s0", "s"),
        ("s1", "s 1"),
        ("a1b2", "a12b"),
        ("0", ""),
        ("1.1", "1.10"),
        ("1.0", "10"),
        ("s1.0", "s1"),
    ],
)
def test_other_names_stay_apart(others):
    one, other = others
    assert normal_name(one) != normal_name(other)


@given(st.text())
def test_the_normal_form_of_a_normal_form_is_itself_and_the_unicode_form_never_counts(text):
    normal = normal_name(text)
    assert normal_name(normal) == normal
    assert {normal_name(unicodedata.normalize(form, text)) for form in ("NFC", "NFD", "NFKC", "NFKD")} == {normal}


@given(st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=8))
def test_joined_names_are_those_that_a_chain_of_groups_connects(groups):
    reached = {name: {name} for group in groups for name in group}
    for _ in range(10):
        for group in groups:
            together = set().union(*(reached[name] for name in group))
            for name in group:
                reached[name] |= together
    assert same_names(groups) == {name: min(names) for name, names in reached.items()}


def test_a_file_is_found_in_whatever_form_the_disk_has_its_name(tmp_path):
    folder = tmp_path / DECOMPOSED
    folder.mkdir()
    (folder / f"{DECOMPOSED}.mp4").touch()
    files = Folders(tmp_path)
    for form in ("NFC", "NFD"):
        assert files.find(unicodedata.normalize(form, "Zoë/Zoë.mp4")) == f"{DECOMPOSED}/{DECOMPOSED}.mp4"
    assert files.find("./Zoë/../Zoë/Zoë.mp4") is not None
    for missing in ("Zoë/zoe.mp4", "Zoë/Zöe.mp4", "Chloë/a.mp4", "Zoë", "Zoë/\0ë"):
        assert files.find(missing) is None


def test_two_files_whose_names_print_alike_are_refused(tmp_path):
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, "Zoë.mp4")).touch()
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system does not tell the forms apart")
    with pytest.raises(UnusableClip, match="2 files whose name prints as Zoë"):
        Folders(tmp_path).find("Zoë.mp4")


def test_cells_of_a_table_are_read_in_one_form(tmp_path):
    (tmp_path / "a.csv").write_text(f"{DECOMPOSED}\n{DECOMPOSED}\n", encoding="utf-8")
    table = csv_table(tmp_path / "a.csv")
    assert list(itertools.chain(table.columns, table.iloc[:, 0])) == ["Zoë", "Zoë"]
