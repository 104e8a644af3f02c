import pytest

from fixtures.project import TINY
from microgesture.errors import InputError
from microgesture.workflow.commands import prepare
from microgesture.workflow.plan import Plan


def test_a_folder_of_a_run_that_has_plugins_for_snakemake_is_refused(tmp_path, monkeypatch):
    (tmp_path / ".snakemake/pip-deployments").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="pip-deployments"):
        prepare(Plan(TINY).config)
