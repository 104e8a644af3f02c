"""Our own files are safetensors, Parquet, Arrow, JSON and CSV: no pickle is written, and one module reads them."""

import ast
from pathlib import Path

import pytest

import microgesture

SOURCE = Path(microgesture.__file__).parent
PICKLING = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "pickletools"}
READING = {"read_pickle", "to_pickle", "load_state_dict_from_url", "safe_load_all"}
NAMED = (*PICKLING, *READING, "torch.load", "torch.save", "np.load", "numpy.load", "torch.hub", "torch.package")


@pytest.fixture(scope="module")
def modules():
    """The syntax tree by its path of each module that names any of what is looked for."""
    texts = {path.relative_to(SOURCE).as_posix(): path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")}
    return {name: ast.parse(text) for name, text in texts.items() if any(one in text for one in NAMED)}


def calls(tree, *names):
    """The calls of a function by its dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func) in names:
            yield node


def given(call, option):
    return next((ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == option), None)


def test_pickles_are_known_in_one_module_only(modules):
    imported = set()
    for name, tree in modules.items():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported |= {(name, each.split(".")[0]) for each in names if each.split(".")[0] in PICKLING}
    assert imported == {("storage/pickles.py", "pickle"), ("storage/pickles.py", "pickletools")}


def test_every_file_of_torch_is_read_as_weights_only(modules):
    loads = {
        name: [given(call, "weights_only") for call in calls(tree, "torch.load")] for name, tree in modules.items()
    }
    assert {name: found for name, found in loads.items() if found} == {
        "checkpoints/reading.py": ["True"],
        "storage/pickles.py": ["True"],
        "streams/train.py": ["True"],
    }
    saving = {name for name, tree in modules.items() for _ in calls(tree, "torch.save")}
    assert saving == {"streams/train.py"}  # what a killed training goes on from, which leaves no machine


def test_no_other_reader_or_writer_of_pickles_is_used(modules):
    for name, tree in modules.items():
        for call in calls(tree, "np.load", "numpy.load"):
            assert given(call, "allow_pickle") in (None, "False"), name
        assert not list(calls(tree, "torch.hub.load", "torch.package.PackageImporter")), name
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not attributes & READING, name
