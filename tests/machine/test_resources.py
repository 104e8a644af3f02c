import pytest

from microgesture.errors import InputError
from microgesture.machine.resources import Resources


def test_more_devices_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [str(Resources(devices=2).prepare(rank)) for rank in (0, 1)] == ["cuda:0", "cuda:1"]
    with pytest.raises(InputError, match="devices is 3, but only 2 GPUs are here"):
        Resources(devices=3).prepare()
    assert str(Resources("cpu", devices=3).prepare(2)) == "cpu"
