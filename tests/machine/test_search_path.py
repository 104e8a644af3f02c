"""Modules in the current folder, which came with somebody's videos, are never imported, whatever starts there."""

import json
import os
import subprocess
import sys
from multiprocessing import process
from pathlib import Path

import pytest
import yaml

from fixtures.exported import recorded
from fixtures.project import ROOT, TINY
from microgesture.machine.search_path import leave_out_current_folder

PROGRAMS = Path(sys.executable).parent
# Each starts another kind of process; the module of the functions is imported in all of them.
CHILDREN = """\
import multiprocessing
import sys
from functools import partial
from multiprocessing import resource_tracker

from microgesture.machine.search_path import leave_out_current_folder


def work(number=0):
    import numpy, random, types
    return [module.__file__ for module in (numpy, random, types)]


def open_work():
    return partial(work, 0)


def devices(rank):
    work()


if __name__ == "__main__":
    leave_out_current_folder()
    kind = sys.argv[1]
    if kind == "isolated":
        from microgesture.videos.isolation import Isolated

        with Isolated(open_work) as isolated:
            isolated.do()
    elif kind == "resource tracker":
        from multiprocessing.shared_memory import SharedMemory

        memory = SharedMemory(create=True, size=8)
        memory.unlink()
    elif kind == "devices":
        from torch.multiprocessing import start_processes

        start_processes(devices, nprocs=1, start_method="spawn")
    else:
        with multiprocessing.get_context(kind).Pool(1) as pool:
            pool.map(work, [1])
"""


@pytest.fixture
def donated(tmp_path):
    """A folder with modules of well-known names."""
    folder = tmp_path / "donated"
    folder.mkdir()
    for name in ("numpy", "random", "types", "pickle", "torch"):
        (folder / f"{name}.py").write_text(f"open({str(folder)!r} + '/ran_' + {name!r}, 'w').close()\n")
    return folder


@pytest.fixture
def corpus(donated):
    """The folder with a small corpus in it, and its configuration."""
    folder = donated
    for name in ("a", "b"):
        recorded(folder / name, 12)
    (folder / "clips.csv").write_text("clip_id,split,label,video\na,train,wave,a.mp4\nb,test,,b.mp4\n")
    config = TINY | {"corpora": {"imigue": {"format": "manifest", "root": str(folder)}}}
    config["streams"] = {
        "joint": TINY["streams"]["joint"] | {"input": "rgb", "network": TINY["streams"]["flow"]["network"]}
    }
    config["ensembles"] = {"final": {"streams": ["joint"]}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def start(donated: Path, *command: object, folder: Path | None = None, status: int = 0) -> None:
    """Run a command in the donated folder, or in another; it runs nothing of what was donated."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONSAFEPATH", "LD_LIBRARY_PATH")
    }
    environment["PYTHONPATH"] = str(ROOT / "src")
    limited = ["timeout", "100", *map(str, command)]  # a pool whose processes cannot start would try again for ever
    done = subprocess.run(limited, cwd=folder or donated, env=environment, capture_output=True, text=True, check=False)
    assert not list(donated.rglob("ran_*")), done.stderr
    assert done.returncode == status, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["isolated", "resource tracker", "devices", "spawn", "forkserver"])
def test_no_kind_of_child_process_imports_from_the_current_folder(donated, tmp_path, kind):
    (tmp_path / "program.py").write_text(CHILDREN)
    start(donated, sys.executable, tmp_path / "program.py", kind)


@pytest.mark.parametrize("by_module", [False, True])
def test_the_command_imports_nothing_from_the_current_folder(donated, by_module):
    if by_module:
        without_first(donated)
    command = [sys.executable, "-m", "microgesture"] if by_module else [PROGRAMS / "microgesture"]
    start(donated, *command, "doctor", status=1)  # which imports all libraries, and finds no configuration


def without_first(donated: Path) -> None:
    """Remove what ``python -m`` imports from the current folder before it comes to the module."""
    for name in ("types", "pickle"):
        (donated / f"{name}.py").unlink()


@pytest.mark.slow
def test_the_command_runs_nothing_from_the_current_folder(corpus):
    start(corpus, PROGRAMS / "microgesture", "doctor")


@pytest.mark.slow
def test_nor_does_its_module(donated):
    without_first(donated)
    start(donated, sys.executable, "-m", "microgesture", "demo", *demo(donated))


def demo(folder: Path) -> list[object]:
    settings = {**TINY["corpora"]["imigue"]["demo"], "layout": "miga"}
    settings["clips"] = {"train": 3, "val": 1, "test": 1}
    settings["frame"] = [64, 64]
    files = {"root": "corpus", "truth": "truth.csv", "emotion-truth": "emotions.csv", "output": "files.json"}
    paths = [part for name, path in files.items() for part in (f"--{name}", folder / path)]
    return ["--settings", json.dumps(settings), "--workers", 2, *paths]


@pytest.mark.slow
def test_nor_do_the_rules(corpus):
    start(
        corpus,
        PROGRAMS / "snakemake",
        "--directory",
        corpus,
        "--cores",
        1,
        "results/rgb/imigue/0000.arrow",
        folder=ROOT,
    )


@pytest.mark.parametrize("entry", ["", "."])
@pytest.mark.parametrize("variable", ["PYTHONPATH", "PATH", "LD_LIBRARY_PATH"])
def test_an_entry_for_the_current_folder_is_left_out_and_named(monkeypatch, caplog, variable, entry):
    monkeypatch.setattr(sys, "path", ["/usr/bin", process.ORIGINAL_DIR, "/opt/lib"])
    for name in ("PYTHONPATH", "LD_LIBRARY_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, f"{entry}:/opt/lib:{entry}:/usr/bin")
    caplog.set_level("INFO")
    leave_out_current_folder()
    assert (process.ORIGINAL_DIR in sys.path) == (variable != "PYTHONPATH")
    assert os.environ[variable] == "/opt/lib:/usr/bin"
    assert caplog.text.count(variable) == 1


def test_no_process_loads_libraries_from_the_current_folder(donated, tmp_path):
    for name in ("libm.so.6", "libc.so.6", "libz.so.1"):
        (donated / name).write_text("no library")
    (tmp_path / "program.py").write_text(
        CHILDREN.replace("    kind = sys", "    import cv2  # it sets LD_LIBRARY_PATH\n    kind = sys")
    )
    start(donated, sys.executable, tmp_path / "program.py", "isolated")


@pytest.mark.parametrize("program", [["microgesture", "doctor"], ["snakemake", "-n", "--directory"]])
def test_settings_of_numba_are_refused_because_they_can_run_code(corpus, program):
    (corpus / ".numba_config.yaml").write_text("cache_dir: cache\n")
    name, *options = program
    command = [PROGRAMS / name, *options, *([corpus] if name == "snakemake" else [])]
    folder = ROOT if name == "snakemake" else corpus
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{corpus / '.numba_config.yaml'} has settings of Numba" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_relative_folders_are_left_out(monkeypatch):
    monkeypatch.setattr(sys, "path", ["", "/usr/lib/python", ".snakemake/pip-deployments"])
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    leave_out_current_folder()
    assert sys.path == ["/usr/lib/python"]
    assert os.environ["PYTHONSAFEPATH"] == "1"
