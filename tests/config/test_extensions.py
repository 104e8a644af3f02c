"""Declarations of extensions are added to the registries; two with one name are refused."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from microgesture.config import extensions
from microgesture.config.fusion_rule import FusionRule
from microgesture.errors import InputError


def rule(name):
    return FusionRule(name, name, "module")


@pytest.fixture
def install(monkeypatch):
    """Installs extensions with these fusion rules."""

    def put(**declared):
        points = [
            SimpleNamespace(name=name, value=f"{name}_package:DECLARATIONS", load=lambda own=own: own)
            for name, own in declared.items()
        ]
        monkeypatch.setattr(extensions, "entry_points", lambda group: points)

    return put


def named(*built_in, **options):
    return list(extensions.by_name(FusionRule, built_in, lambda declared: declared.name, **options))


def test_declarations_of_one_kind_are_added_by_name(install):
    install(lab=(rule("mine"), "something else"), other=(rule("third"),))
    assert named(rule("equal")) == ["equal", "mine", "third"]
    assert named(rule("equal"), extensions_first=True) == ["mine", "third", "equal"]


def test_a_name_of_this_package_and_of_an_extension_is_refused(install):
    install(lab=(rule("equal"),))
    with pytest.raises(InputError, match=r"'equal'.*this package.*'lab' \(lab_package:DECLARATIONS\)"):
        named(rule("equal"))


def test_a_name_of_two_extensions_is_refused(install):
    install(lab=(rule("mine"),), other=(rule("mine"),))
    with pytest.raises(InputError, match=r"'mine'.*'lab'.*'other'"):
        named(rule("equal"))


EVERY_REGISTRY = """
import importlib
from types import SimpleNamespace
from typing import ClassVar, Literal

declared = []
point = SimpleNamespace(name="lab", value="lab:DECLARATIONS", load=lambda: declared)
from microgesture.config import extensions
extensions.entry_points = lambda group: [point]

from microgesture.config.corpus_format import CorpusFormat
from microgesture.config.declarations import Modality, ModalitySettings, NetworkSettings
from microgesture.config.fusion_rule import FusionRule
from microgesture.config.loss_settings import LossSettings
from microgesture.errors import InputError
from microgesture.skeletons.file_format import SkeletonFormat


class Network(NetworkSettings):
    name: Literal["mvit"]


class Corpus(CorpusFormat):
    format: Literal["smg"]


class Term(LossSettings):
    name: Literal["semantic"] = "semantic"


class File(SkeletonFormat):
    name = "npz"
    ending = ".points"
    read = points = None


for module, one in {
    "config.modalities": Modality("flow", "flow", "lab.flow", ModalitySettings, "raw"),
    "config.networks": Network,
    "config.corpora": Corpus,
    "config.losses": Term,
    "config.ensembles": FusionRule("grid", "grid", "lab.grid"),
    "skeletons.files": File(),
}.items():
    declared[:] = [one]
    try:
        importlib.import_module("microgesture." + module)
    except InputError as error:
        print(error)
"""


def test_every_registry_refuses_a_second_declaration():
    ran = subprocess.run(
        [sys.executable, "-c", EVERY_REGISTRY], env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    messages = ran.stdout.splitlines()
    assert len(messages) == 6, ran.stdout
    for message, name in zip(messages, ["flow", "mvit", "smg", "semantic", "grid", "npz"], strict=True):
        assert f"'{name}'" in message
        assert "'lab'" in message
