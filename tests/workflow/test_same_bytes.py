"""Two runs from nothing, on one core and on four: the same bytes on one machine."""

import copy
import hashlib

import pytest

from fixtures.project import RECIPE, SWIN, TINY, Project

pytestmark = pytest.mark.slow

STREAMS = ("joint", "rgb", "taylor")


def config():
    """The tiny corpus, streams of heatmaps and of two kinds of video, and an ensemble whose weights are searched."""
    changed = copy.deepcopy(TINY)
    changed["threads"] = 1
    changed["recipes"] = {name: RECIPE | {"epochs": 2} for name in STREAMS}
    changed["streams"] = {"joint": TINY["streams"]["joint"]}
    for name in ("rgb", "taylor"):
        changed["streams"][name] = {"corpus": "imigue", "input": name, "network": SWIN, "recipe": name}
    changed["ensembles"] = {"final": {"streams": list(STREAMS), "weights": "search", "calibrate": True}}
    return changed


def results_of(folder, cores):
    """A digest of each result of a run from nothing, by its path; logs and times are none."""
    project = Project(folder, config())
    project.run(cores=cores)
    kinds = ("csv", "arrow", "parquet", "safetensors")
    files = [path for kind in kinds for path in sorted((folder / "results").glob(f"**/*.{kind}"))]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_runs_on_four_cores_and_on_one_core_give_the_same_bytes(tmp_path):
    four_cores = results_of(tmp_path / "four_cores", cores=4)
    assert {f"results/streams/{name}/model.safetensors" for name in STREAMS} < set(four_cores)
    assert "results/submission.csv" in four_cores
    assert results_of(tmp_path / "one_core", cores=1) == four_cores
