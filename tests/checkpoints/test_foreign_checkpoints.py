"""Checkpoints with what mmengine and mmcv keep beside the weights: they load, and nothing of these is imported."""

import builtins
import os
import re
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from microgesture.checkpoints.reading import read_state_dict
from microgesture.errors import InputError

TENSORS = {"backbone.conv1.weight": torch.arange(6.0).reshape(2, 3), "cls_head.fc_cls.bias": torch.ones(3)}


def pretend(monkeypatch, module, **members):
    """A module that is only there while a file is written, with classes that say to be of it."""
    made = ModuleType(module)
    for name, member in members.items():
        member.__module__, member.__qualname__, member.__name__ = module, name, name
        setattr(made, name, member)
    for depth in range(1, module.count(".") + 1):
        monkeypatch.setitem(sys.modules, ".".join(module.split(".")[:depth]), ModuleType("parent"))
    monkeypatch.setitem(sys.modules, module, made)


class HistoryBuffer:
    """Has the attributes that mmengine's has."""

    def __init__(self):
        self.max_length = 1_000_000
        self._log_history, self._count_history = np.array([0.5, 0.25]), np.array([1, 1])


class NewSettings(dict):
    """Pickled as mmengine's since 0.8: made from a plain dictionary."""

    def __reduce_ex__(self, protocol):
        return type(self), (dict(self),), None, None, None


class OldSettings(dict):
    """Pickled as addict's, which older ones are: filled after it was made, with itself as its state."""

    def __getstate__(self):
        return self


def written(path, saved, old_numpy=False):
    """A file of ``torch.save``, if wished with the names of NumPy before 2."""
    torch.save(saved, path, _use_new_zipfile_serialization=not old_numpy)
    if old_numpy:
        content = path.read_bytes()
        assert b"cnumpy._core." in content
        path.write_bytes(content.replace(b"cnumpy._core.", b"cnumpy.core."))
    return path


@pytest.mark.parametrize("old_numpy", [False, True])
def test_a_checkpoint_of_mmaction2_keeps_its_tensors_only(tmp_path, monkeypatch, old_numpy):
    with monkeypatch.context() as while_writing:
        pretend(while_writing, "mmengine.logging.history_buffer", HistoryBuffer=HistoryBuffer)
        pretend(while_writing, "mmengine.config.config", ConfigDict=NewSettings)
        losses = OrderedDict({"train/loss": HistoryBuffer(), "val/acc/top1": HistoryBuffer()})
        messages = {
            "log_scalars": losses,
            "runtime_info": OrderedDict(epoch=2, best=np.float64(0.5)),
            "resumed_keys": {},
        }
        meta = {
            "epoch": 3,
            "cfg": "model = dict()",
            "dataset_meta": NewSettings(classes=("a", "b"), more=NewSettings()),
        }
        checkpoint = {"meta": meta, "state_dict": OrderedDict(TENSORS), "message_hub": messages}
        path = written(tmp_path / "best.pth", checkpoint, old_numpy)
    allowed = set(torch.serialization.get_safe_globals())
    assert "mmengine" not in sys.modules
    state = read_state_dict(path)
    assert state.keys() == TENSORS.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in TENSORS.items())
    assert "mmengine" not in sys.modules
    assert set(torch.serialization.get_safe_globals()) == allowed


def test_a_checkpoint_of_pyskl_keeps_its_tensors_only(tmp_path, monkeypatch):
    with monkeypatch.context() as while_writing:
        pretend(while_writing, "mmcv.utils.config", ConfigDict=OldSettings)
        best = {"best_score": np.float64(0.9), "best_ckpt": "best.pth", "order": np.arange(3)}
        meta = {"config": OldSettings(model=OldSettings(type="Recognizer3D")), "hook_msgs": best}
        path = written(tmp_path / "latest.pth", {"meta": meta, "state_dict": TENSORS}, old_numpy=True)
    assert read_state_dict(path).keys() == TENSORS.keys()
    assert "mmcv" not in sys.modules


class Calls:
    """Unpickling it calls a function."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


HARMS = [
    (lambda canary: Calls(os.system, f"touch {canary}"), r"posix\.system"),
    (lambda canary: Calls(builtins.eval, f"open({str(canary)!r}, 'w')"), "eval"),
    (lambda canary: Calls(builtins.exec, f"open({str(canary)!r}, 'w')"), "exec"),
    (lambda canary: Calls(os.mkdir, str(canary)), r"posix\.mkdir"),
    (lambda canary: Calls(Path(canary).touch), "getattr"),
]


@pytest.mark.parametrize(("harm", "name"), HARMS)
@pytest.mark.parametrize("zipped", [True, False])
def test_what_would_run_is_named_and_does_nothing(tmp_path, monkeypatch, harm, name, zipped):
    canary, path = tmp_path / "canary", tmp_path / "bad.pth"
    with monkeypatch.context() as while_writing:
        pretend(while_writing, "mmengine.logging.history_buffer", HistoryBuffer=HistoryBuffer)
        saved = {"state_dict": TENSORS, "message_hub": {"loss": HistoryBuffer(), "worse": harm(canary)}}
        torch.save(saved, path, _use_new_zipfile_serialization=zipped)
        allowed = set(torch.serialization.get_safe_globals())
        with pytest.raises(InputError, match=rf"bad\.pth holds {name}, .* and weights must not run"):
            read_state_dict(path)
        assert not canary.exists()
        assert set(torch.serialization.get_safe_globals()) == allowed
        torch.load(path, weights_only=False)
        assert canary.exists()  # so the file was a harmful one


def test_an_object_array_beside_the_weights_runs_nothing(tmp_path):
    canary = tmp_path / "canary"
    torch.save({"state_dict": TENSORS, "meta": np.array([Calls(os.mkdir, str(canary))], object)}, tmp_path / "bad.pth")
    with pytest.raises(InputError, match=r"bad\.pth holds posix\.mkdir"):
        read_state_dict(tmp_path / "bad.pth")
    assert not canary.exists()


def test_the_refusal_says_how_to_convert(tmp_path):
    torch.save({"state_dict": TENSORS, "meta": re.compile("a")}, tmp_path / "odd.pth")
    with pytest.raises(
        InputError, match=r"(?s)odd\.pth holds re\._compile.*safetensors.*use .*odd\.safetensors instead"
    ):
        read_state_dict(tmp_path / "odd.pth")
