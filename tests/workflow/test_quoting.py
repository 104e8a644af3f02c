"""Paths and names in the commands of the rules: whatever characters they have, a shell takes each for one word."""

import re
import shlex
import subprocess
import sys

import pytest
import yaml

from fixtures.project import ROOT, TINY
from fixtures.rules import rule_texts

PLACEHOLDER = re.compile(r"\{(?:input|output|params|wildcards|log)\b[^}]*\}")
WEIGHTS = "w$(touch ran) 'it;s'.safetensors"


@pytest.mark.parametrize("name", rule_texts())
def test_every_placeholder_of_a_command_is_quoted(name):
    _, _, command = rule_texts()[name].partition("shell:")
    assert all(found.endswith(":q}") for found in PLACEHOLDER.findall(command))


@pytest.mark.slow
def test_a_path_of_the_configuration_is_one_word_of_the_command(tmp_path):
    (tmp_path / WEIGHTS).touch()
    streams = {**TINY["streams"], "flow": TINY["streams"]["flow"] | {"weights": WEIGHTS}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**TINY, "streams": streams}))
    command = [sys.executable, "-m", "snakemake", "-n", "-p", "--cores", "1", "--directory", tmp_path]
    command += ["results/streams/flow/model.safetensors"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (train,) = [line for line in printed.splitlines() if " train --settings" in line and "--weights" in line]
    words = shlex.split(train)
    assert words[words.index("--weights") + 1] == WEIGHTS
