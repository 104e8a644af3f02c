"""A recogniser from somebody else: whatever is in its folder, it is used as it was exported, or refused."""

import copy
import hashlib
import json
import os
import shutil

import pytest
from hypothesis import strategies as st

from fixtures.exported import OTHERS, finished_run
from fixtures.mutations import attempt, damaged, fuzz, fuzzed
from microgesture.errors import InputError
from microgesture.recogniser.export import export_recogniser, results_of
from microgesture.recogniser.loading import open_network, open_recogniser
from microgesture.streams.weights import read_header
from microgesture.workflow.prediction_stages import recogniser_step
from microgesture.workflow.read_plan import read_plan


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    plan = read_plan(finished_run(folder, OTHERS), (), folder / "results")
    step = recogniser_step(plan.config, "final")
    streams = plan.config.ensembles["final"].streams
    export_recogniser(step, results_of(folder / "results", step, streams), folder / "model")
    return folder / "model"


@pytest.fixture
def folder(exported, tmp_path):
    """A copy of the exported folder, to be changed."""
    return shutil.copytree(exported, tmp_path / "model")


def sign(folder):
    """Write the checksums of the files, as whoever changes them can."""
    files = sorted(path.name for path in folder.iterdir() if path.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256((folder / file).read_bytes()).hexdigest()}  {file}\n" for file in files]
    (folder / "SHA256SUMS").write_text("".join(sums))
    return folder


def use(folder):
    recogniser = open_recogniser(folder)
    return [open_network(folder, recogniser, member) for member in recogniser.members]


def manifest_of(folder):
    return json.loads((folder / "recogniser.json").read_text())


def changed(folder, *path, value):
    """The folder with another value in its manifest."""
    content = manifest_of(folder)
    there = content
    for key in path[:-1]:
        there = there[key]
    there[path[-1]] = value
    (folder / "recogniser.json").write_text(json.dumps(content))
    return sign(folder)


def member(folder, stream):
    names = [member["step"]["stream"] for member in manifest_of(folder)["members"]]
    return names.index(stream)


def test_what_was_exported_is_used(exported):
    assert len(use(exported)) == len([name for name, stream in OTHERS.items() if stream.get("corpus") != "other"])


def test_what_nobody_could_open_is_not_exported(exported, tmp_path):
    run = exported.parent
    plan = read_plan(run / "config.yaml", ['keypoints={"selection": "22"}'], run / "results")
    step = recogniser_step(plan.config, "final")
    sources = results_of(run / "results", step, plan.config.ensembles["final"].streams)
    with pytest.raises(InputError, match=r"cannot be exported.*(?s:.*)selection is 22"):
        export_recogniser(step, sources, tmp_path / "model")
    assert not (tmp_path / "model").exists()


LEARNED_FLOW = {"backend": "raft_small", "weights": "C_T_V2", "model": None, "precision": "fp32"}
LEARNED_DEPTH = {"backend": "transformers", "folder": None, "model": "/home/somebody/model", "precision": "fp32"}
STORED_DEPTH = {"backend": "folder", "folder": "/home/somebody", "model": None, "precision": "fp32"}


@pytest.mark.parametrize(
    ("modality", "settings"), [("flow", LEARNED_FLOW), ("depth", LEARNED_DEPTH), ("depth", STORED_DEPTH)]
)
def test_inputs_that_no_export_allows_are_refused(folder, modality, settings):
    changed(folder, modality, value=settings)
    assert use(folder), "no stream has it as an input, so nothing opens or fetches it"
    changed(folder, "members", member(folder, "rgb"), "step", "inputs", value=[modality])
    with pytest.raises(InputError, match=rf"{modality} is made with {modality}\.backend: {settings['backend']}"):
        open_recogniser(folder)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("lengths", "fps"), 1e-300),
        (("lengths", "fps"), 1e300),
        (("lengths", "frames"), [8, 8]),
        (("lengths", "frames"), [-3]),
        (("lengths", "frames"), list(range(1, 1000))),
        (("rgb", "size"), 10**6),
        (("rgb", "margin"), 1e300),
        (("taylor", "window"), 10**9),
        (("classes",), ["wave", "wave"]),
        (("members", 0, "step", "recipe", "frames"), 10**9),
        (("members", 0, "step", "recipe", "num_clips"), 10**9),
        (("members", 0, "step", "recipe", "size"), 10**5),
        (("members", 0, "step", "network", "width"), 10**9),
        (("members", 0, "step", "selection"), "22"),
        (("members", 0, "step", "selection"), None),
        (("members", 0, "step", "inputs"), ["rgb"]),
        (("members", 0, "step", "inputs"), ["joint", "joint"]),
        (("members", 1, "step", "network", "depths"), [1] * 1000),
        (("fusion",), {}),
        (("fusion", "rule"), ["given"]),
        (("fusion", "rule"), "of somebody"),
        (("fusion", "temperatures", "joint"), 0),
        (("fusion", "temperatures", "joint"), -1),
        (("fusion", "weights", "joint"), -1),
        (("fusion", "weights", "joint"), "heavy"),
        (("secret",), 1),
    ],
)
def test_numbers_out_of_range_and_parts_that_do_not_fit_are_refused(folder, path, value):
    with pytest.raises(InputError):
        use(changed(folder, *path, value=value))


def test_inputs_that_would_fill_the_memory_are_refused(folder):
    index = member(folder, "joint")
    changed(folder, "members", index, "step", "recipe", "frames", value=10_000)
    changed(folder, "members", index, "step", "recipe", "size", value=4096)
    with pytest.raises(InputError, match="too large for an input"):
        open_recogniser(folder)


def test_a_network_that_would_fill_the_memory_is_never_built(folder):
    changed(folder, "members", member(folder, "joint"), "step", "network", "width", value=4096)
    with pytest.raises(InputError, match=r"joint\.safetensors do not fit"):
        use(folder)


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[2J", "\ud800", "\u2028", "", "x" * 1001])
def test_classes_that_cannot_be_written_are_refused(folder, name):
    with pytest.raises(InputError, match="classes: "):
        open_recogniser(changed(folder, "classes", value=[name, *manifest_of(folder)["classes"][1:]]))


@pytest.mark.parametrize("file", ["SHA256SUMS", "recogniser.json", "joint.safetensors"])
def test_a_pipe_in_place_of_a_file_is_refused(folder, file):
    (folder / file).unlink()
    os.mkfifo(folder / file)
    with pytest.raises(InputError, match=f"no SHA256SUMS|{file} is missing"):
        open_recogniser(folder)


def test_repeated_keys_are_named(folder):
    manifest = folder / "recogniser.json"
    manifest.write_text(manifest.read_text().replace('"ensemble":', '"corpus": "mine", "ensemble":', 1))
    with pytest.raises(InputError, match="'corpus' is repeated"):
        open_recogniser(sign(folder))


HEADER_FAULTS = {
    "repeated tensor": (lambda text: "{" + text[1:-1] + "," + text[1:], "is repeated"),
    "unknown key": (lambda text: text.replace('\\"stream\\"', '\\"streak\\"'), "streak"),
    "no names": (lambda text: text.replace('\\"inputs\\": [\\"joint\\"]', '\\"inputs\\": {}'), "no names"),
    "a list": (lambda text: f"[{text}]", "no object"),
    "deep": (lambda text: "[" * 10_000 + "]" * 10_000, "levels"),
}


def with_header(path, change):
    """Replace the header of a safetensors file."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    text = change(data[8 : 8 + size].decode().rstrip()).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])


@pytest.mark.parametrize("fault", HEADER_FAULTS)
def test_headers_of_weights_that_nobody_should_write_are_refused(folder, fault):
    change, sentence = HEADER_FAULTS[fault]
    path = folder / "joint.safetensors"
    with_header(path, change)
    with pytest.raises(InputError, match=sentence):
        read_header(path)
    with pytest.raises(InputError):
        use(sign(folder))


def test_a_header_longer_than_any_is_not_read(folder):
    path = folder / "joint.safetensors"
    path.write_bytes((1 << 40).to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(InputError, match="header would have"):
        read_header(path)


ODD = [
    *(None, True, 0, -1, 3, 2**31, 10**18, 1e-300, 1e300, 0.5, "", "joint", "rgb", "face", "x" * 1000),
    *("../../etc/passwd", "\x1b[2J", [], {}, [[]], ["rgb", "joint"], {"name": "mvit"}, [1, 1]),
]


def places(value, path=()):
    """The path of every value in nested lists and objects."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


@st.composite
def mutated(draw, content):
    """The content after one to three values in it were replaced, removed, or exchanged."""
    content = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, 3))):
        *above, key = draw(st.sampled_from(list(places(content))))
        there = content
        for step in above:
            there = there[step]
        match draw(st.sampled_from(["odd", "odd", "gone", "more", "other"])):
            case "odd":
                there[key] = draw(st.sampled_from(ODD))
            case "gone":
                del there[key]
            case "more" if isinstance(there, dict):
                there["more"] = draw(st.sampled_from(ODD))
            case _:
                others = list(there.values()) if isinstance(there, dict) else there
                there[key] = copy.deepcopy(draw(st.sampled_from(others)))
        if not list(places(content)):
            break
    return content


@fuzzed
def test_any_change_of_the_manifest_is_used_or_refused(folder, examples):
    def is_used_or_refused(content):
        (folder / "recogniser.json").write_text(json.dumps(content))
        attempt(use, sign(folder))

    fuzz(is_used_or_refused, mutated(manifest_of(folder)), examples)


@fuzzed
@pytest.mark.parametrize("file", ["recogniser.json", "SHA256SUMS"])
def test_any_damage_to_a_text_is_refused(folder, file, examples):
    whole = (folder / file).read_bytes()

    def is_used_or_refused(data):
        (folder / file).write_bytes(data)
        attempt(use, folder if file == "SHA256SUMS" else sign(folder))

    fuzz(is_used_or_refused, damaged(whole), examples)


@fuzzed
def test_any_change_of_the_header_of_weights_is_used_or_refused(folder, examples):
    path = folder / "joint.safetensors"
    whole = path.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + size])
    header["__metadata__"]["microgesture"] = header["__metadata__"]["microgesture"].replace("microgesture crc32", "x")
    few = {name: header[name] for name in ("__metadata__", *list(header)[1:3])}

    def is_used_or_refused(change):
        path.write_bytes(whole)
        with_header(path, lambda _: json.dumps(header | change))
        attempt(use, sign(folder))

    fuzz(is_used_or_refused, mutated(few), examples)
