import re
from pathlib import Path

import pytest
import yaml

from fixtures.project import TINY
from microgesture.errors import InputError
from microgesture.workflow.read_plan import read_plan


@pytest.fixture
def configfile(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(TINY))
    return file


def test_changes_reach_into_the_configuration_and_leave_the_rest(configfile):
    plan = read_plan(configfile, ['rgb={"size": 48}', "seed=7"])
    assert plan.config.rgb.size == 48
    assert plan.config.seed == 7
    assert plan.config.corpora == read_plan(configfile).config.corpora


@pytest.mark.parametrize(
    ("text", "changes", "sentence"),
    [
        ("a: [", [], "is not YAML"),
        ("", [], "has no keys"),
        (yaml.safe_dump(TINY), ["seed"], "--config seed is not of the form key=value"),
        (yaml.safe_dump(TINY), ["sead=1"], "did you mean 'seed'"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_told(configfile, text, changes, sentence):
    configfile.write_text(text)
    with pytest.raises(InputError, match=re.escape(sentence)):
        read_plan(configfile, changes)


def test_a_configuration_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.yaml: No such file"):
        read_plan(Path(tmp_path / "nowhere.yaml"))
