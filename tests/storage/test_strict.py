"""JSON and YAML of strangers: what is valid is read as usual, and everything else is one sentence."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.mutations import attempt, damaged, fuzz, fuzzed
from fixtures.project import TINY
from microgesture.errors import InputError
from microgesture.storage.strict import (
    LARGEST,
    read_strict_json,
    read_strict_yaml,
    strict_json,
    strict_yaml,
)

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@settings(max_examples=100, deadline=None, derandomize=True)
@given(value=PLAIN)
def test_plain_values_are_read_as_they_were_written(value):
    assert strict_json(json.dumps(value), "a") == value
    assert strict_yaml(yaml.safe_dump(value), "a") == value


JSON_FAULTS = {
    "repeated key": ('{"a": {"seed": 1, "seed": 2}}', "'seed' is repeated"),
    "no number": ('{"a": NaN}', "NaN is not a number"),
    "infinity": ('{"a": -Infinity}', "Infinity is not a number"),
    "too large": ('{"a": 1e999}', "too large"),
    "digits": ('{"a": ' + "9" * 5000 + "}", "5000 digits"),
    "deep": ("[" * 100_000 + "]" * 100_000, "levels"),
    "somewhat deep": ("[" * 40 + "]" * 40, "levels"),
    "damaged": ("{", "is not JSON"),
}


@pytest.mark.parametrize("fault", JSON_FAULTS)
def test_json_that_nobody_should_write_is_refused_with_its_file(fault):
    text, sentence = JSON_FAULTS[fault]
    with pytest.raises(InputError, match=rf"that\.json.*{sentence}"):
        strict_json(text, "that.json")


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 10}]\n" for n in range(1, 9)) + "seed: *a8\n"
YAML_FAULTS = {
    "repeated key": ("seed: 1\nrgb:\n  size: 48\n  size: 64\n", "line 4: key 'size' is repeated"),
    "aliases": (LAUGHS, "aliases"),
    "itself": ("seed: &a [*a]\n", "aliases"),
    "digits": ("seed: " + "9" * 5000, "5000 digits"),
    "deep": ("[" * 3000 + "]" * 3000, "levels"),
    "code": ("seed: !!python/object/apply:os.system [true]", "could not determine a constructor"),
    "no date": ("seed: 2020-13-45", "month"),
    "damaged": ("seed: [", "is not YAML"),
}


@pytest.mark.parametrize("fault", YAML_FAULTS)
def test_yaml_that_nobody_should_write_is_refused_with_its_file(fault):
    text, sentence = YAML_FAULTS[fault]
    with pytest.raises(InputError, match=rf"(?s)that\.yaml.*{sentence}"):
        strict_yaml(text, "that.yaml")


def test_anchors_and_merges_of_a_configuration_are_read():
    text = "a: &a {x: 1, y: 2}\nb: &b\n  <<: *a\n  x: 3\nc:\n  <<: *b\n  y: 4\n"
    assert strict_yaml(text, "a") == yaml.safe_load(text)
    assert strict_yaml(text, "a")["c"] == {"x": 3, "y": 4}


@pytest.mark.parametrize("read", [read_strict_json, read_strict_yaml])
def test_files_that_are_too_large_or_no_text_are_refused(tmp_path, read):
    path = tmp_path / "settings"
    path.write_bytes(b" " * (LARGEST + 1))
    with pytest.raises(InputError, match="16 MiB"):
        read(path)
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match="UTF-8"):
        read(path)


@fuzzed
def test_any_damage_to_a_configuration_gives_values_or_a_sentence(examples):
    def is_read_or_refused(data):
        attempt(strict_yaml, data.decode(errors="replace"), "a")

    fuzz(is_read_or_refused, damaged(yaml.safe_dump(TINY).encode()), examples)
