"""Score files of other projects: every layout gives the scores that it holds, and nothing in a file is run."""

import builtins
import io
import json
import os
import pickle
import random
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax

from fixtures.made_up_scores import made_up_stream
from microgesture.cli import main
from microgesture.ensembles.ensemble import run_ensemble
from microgesture.ensembles.foreign_scores import import_scores, read_ids
from microgesture.ensembles.fusion import Fitting
from microgesture.errors import InputError
from microgesture.storage.clips import SCHEMA, Clips, write_clips
from microgesture.storage.pickles import Numbers, read_numbers
from microgesture.storage.scores import read_predictions, read_scores

CLASSES = ("wave", "nod", "shrug", "point")
IDS = [f"{number:04d}_0" for number in range(12)]
LABELS_N = np.arange(12) % 4


def clips(splits="val", labels_N=LABELS_N):
    columns = {"clip_id": IDS, "split": splits, "status": "ok", "label": pd.array(labels_N, "Int32")}
    return Clips(pd.DataFrame(columns).reindex(columns=SCHEMA.names), CLASSES, CLASSES)


def dumped(path, saved, protocol=2, old_numpy=False):
    content = pickle.dumps(saved, protocol)
    if old_numpy:
        assert b"cnumpy._core." in content
        content = content.replace(b"cnumpy._core.", b"cnumpy.core.")
    path.write_bytes(content)
    return path


LOGITS_NK = made_up_stream(0, clips=12)[0].astype(np.float32)
PROBABILITIES_NK = softmax(LOGITS_NK, axis=1)


def of_mmaction2(rows_NK, labels_N=LABELS_N):
    """As mmaction2 dumps them, the scores being rows of a batch's tensor."""
    shared = torch.from_numpy(np.ascontiguousarray(rows_NK))
    return [
        {"pred_score": row_K, "pred_label": row_K.argmax(0, keepdim=True), "gt_label": torch.tensor([int(label)])}
        | {"img_shape": (256, 456), "num_classes": 4}
        for row_K, label in zip(shared, labels_N, strict=True)
    ]


def of_mmaction2_1_0(rows_NK):
    samples = of_mmaction2(rows_NK)
    return [{"pred_scores": {"item": each["pred_score"]}, "gt_labels": {"item": each["gt_label"]}} for each in samples]


LAYOUTS = {
    "mmaction2": of_mmaction2,
    "mmaction2 1.0": of_mmaction2_1_0,
    "pyskl": list,
    "pyskl, one view": lambda rows_NK: [row_K[None] for row_K in rows_NK],
    "an array": np.array,
    "a Fortran array": np.asfortranarray,
    "lists": lambda rows_NK: rows_NK.tolist(),
    "labels of NumPy": lambda rows_NK: [
        {"pred_score": row_K.tolist(), "gt_label": label} for row_K, label in zip(rows_NK, LABELS_N, strict=True)
    ],
}


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_probabilities_that_it_holds(tmp_path, layout, protocol):
    for rows_NK, kind in ((LOGITS_NK, "logits"), (PROBABILITIES_NK, "probabilities")):
        file = dumped(tmp_path / "their.pkl", LAYOUTS[layout](rows_NK), protocol)
        done = import_scores(file, clips(), IDS, tmp_path / "ours.parquet")
        assert (done.clips, done.kind, done.missing) == (12, kind, 0)
        assert done.labels == (12 if layout.startswith(("mmaction2", "labels")) else 0)
        scores = read_scores(tmp_path / "ours.parquet")
        assert list(scores.log_probabilities) == IDS
        given_NK = np.array(list(scores.log_probabilities.values()))
        np.testing.assert_allclose(softmax(given_NK, axis=1), PROBABILITIES_NK, rtol=1e-5)
        if kind == "logits":
            assert np.array_equal(given_NK, LOGITS_NK)


def test_files_of_older_numpy_and_of_half_precision(tmp_path):
    old = dumped(tmp_path / "old.pkl", list(LOGITS_NK), old_numpy=True)
    import_scores(old, clips(), IDS, tmp_path / "ours.parquet")
    assert np.array_equal(read_scores(tmp_path / "ours.parquet").log_probabilities[IDS[3]], LOGITS_NK[3])
    half = torch.from_numpy(LOGITS_NK).bfloat16()
    import_scores(dumped(tmp_path / "half.pkl", list(half)), clips(), IDS, tmp_path / "ours.parquet")
    assert np.array_equal(read_scores(tmp_path / "ours.parquet").log_probabilities[IDS[3]], half[3].float().numpy())
    big_endian = dumped(tmp_path / "big.pkl", list(LOGITS_NK.astype(">f8")))
    import_scores(big_endian, clips(), IDS, tmp_path / "ours.parquet")
    assert np.array_equal(read_scores(tmp_path / "ours.parquet").log_probabilities[IDS[3]], LOGITS_NK[3])


@pytest.mark.parametrize("wrap", [lambda heads: heads, lambda heads: {"pred_score": heads}])
def test_a_head_of_two_is_named(tmp_path, wrap):
    heads = [wrap({"rgb": one_K, "pose": -one_K}) for one_K in LOGITS_NK]
    file = dumped(tmp_path / "two.pkl", heads)
    import_scores(file, clips(), IDS, tmp_path / "ours.parquet", "pose")
    assert np.array_equal(read_scores(tmp_path / "ours.parquet").log_probabilities[IDS[3]], -LOGITS_NK[3])
    for part in (None, "flow"):
        with pytest.raises(InputError, match=r"two\.pkl, sample 0 \(0000_0\) has parts rgb, pose; name one"):
            import_scores(file, clips(), IDS, tmp_path / "ours.parquet", part)
    with pytest.raises(InputError, match=r"has no parts; .*--part"):
        import_scores(dumped(tmp_path / "one.pkl", list(LOGITS_NK)), clips(), IDS, tmp_path / "ours.parquet", "rgb")


def test_samples_in_another_order_are_seen_by_their_labels(tmp_path):
    swapped = [1, 0, *range(2, 12)]
    file = dumped(tmp_path / "their.pkl", of_mmaction2(LOGITS_NK[swapped], LABELS_N[swapped]))
    with pytest.raises(
        InputError, match=r"their\.pkl, sample 0 \(0000_0\) has label 1, and the clip has 0: the samples"
    ):
        import_scores(file, clips(), IDS, tmp_path / "ours.parquet")
    assert not (tmp_path / "ours.parquet").exists()
    import_scores(file, clips(), [IDS[place] for place in swapped], tmp_path / "ours.parquet")
    assert np.array_equal(read_scores(tmp_path / "ours.parquet").log_probabilities[IDS[1]], LOGITS_NK[1])
    unlabelled = clips("test", [None] * 12)  # labels of the test split are placeholders, so none are compared
    assert import_scores(file, unlabelled, IDS, tmp_path / "ours.parquet").labels == 0


def test_clips_that_the_file_does_not_have_get_a_reason(tmp_path):
    some = dumped(tmp_path / "some.pkl", list(LOGITS_NK[:6]))
    splits = ["val"] * 8 + ["test"] * 4
    done = import_scores(some, clips(splits), IDS[:6], tmp_path / "ours.parquet")
    assert done.missing == 2
    scores = read_scores(tmp_path / "ours.parquet")
    assert scores.reasons == dict.fromkeys(IDS[6:8], "not among the clips of some.pkl")


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        (list(LOGITS_NK[:11]), "has 11 samples.* 12 ids"),
        (list(LOGITS_NK[:, :3]), r"sample 0 \(0000_0\) has scores of shape \(3,\) instead of 4"),
        ([np.ones((10, 4))] * 12, r"has scores of shape \(10, 4\) instead of 4.*averaged over views"),
        ([np.ones((2, 2))] * 12, r"has scores of shape \(2, 2\) instead of 4"),
        ([np.ones((4, 1))] * 12, r"has scores of shape \(4, 1\) instead of 4"),
        ([np.ones((1, 1, 4))] * 12, r"has scores of shape \(1, 1, 4\) instead of 4"),
        ([*LOGITS_NK[:11], np.array([1, np.nan, 1, 1])], r"sample 11 \(0011_0\) has scores that are not finite"),
        ([[10**400, 0, 0, 0]] * 12, r"sample 0 \(0000_0\) has no numbers instead of 4"),
        (["wave"] * 12, r"sample 0 \(0000_0\) has no numbers instead of 4"),
        ([{"pred_label": 1}] * 12, r"sample 0 \(0000_0\) has parts pred_label; name one"),
        ({"annotations": []}, "holds neither a list of samples"),
    ],
)
def test_files_of_something_else_are_told(tmp_path, saved, message):
    with pytest.raises(InputError, match=rf"their\.pkl.* {message}|their\.pkl,? {message}"):
        import_scores(dumped(tmp_path / "their.pkl", saved), clips(), IDS, tmp_path / "ours.parquet")


def test_large_whole_numbers_are_scores(tmp_path):
    saved = [[10**30, 0, -(10**30), 1]] * 12
    import_scores(dumped(tmp_path / "their.pkl", saved), clips(), IDS, tmp_path / "ours.parquet")
    assert read_scores(tmp_path / "ours.parquet").log_probabilities[IDS[0]].tolist() == np.float32(saved[0]).tolist()


def test_lists_of_clips_are_read_as_they_lie_about(tmp_path):
    listed = tmp_path / "val_list.txt"
    listed.write_bytes(b"videos/0187_0.mp4 8\r\n0187_1.mp4 3\r\n\r\n0187_2")
    assert read_ids(listed) == ["0187_0", "0187_1", "0187_2"]
    (tmp_path / "test_list.json").write_text(json.dumps(["0054_0", "0054_1"]))
    assert read_ids(tmp_path / "test_list.json") == ["0054_0", "0054_1"]
    listed.write_text("0187_0.mp4 8\n0187_1.mp4 8\n0187_0.mp4 8\n")
    with pytest.raises(InputError, match=r"val_list\.txt has clip 0187_0 twice, as names 1 and 3"):
        read_ids(listed)
    for name, content in (("a.json", "{}"), ("a.json", "[1]"), ("a.json", "[}"), ("a.txt", "")):
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError, match=rf"{name} is not a list of clips"):
            read_ids(tmp_path / name)
    file = dumped(tmp_path / "their.pkl", list(LOGITS_NK))
    with pytest.raises(InputError, match=r"1 of the 12 ids .* 9999_9"):
        import_scores(file, clips(), [*IDS[:11], "9999_9"], tmp_path / "ours.parquet")


def test_imported_streams_make_an_ensemble(tmp_path):
    many, classes = 60, 4
    good_NK, labels_N = made_up_stream(0, many, skill=6.0)
    ids = [f"{number:04d}_0" for number in range(many)]
    splits = ["train"] * 20 + ["val"] * 20 + ["test"] * 20
    table = pd.DataFrame({"clip_id": ids, "split": splits, "status": "ok", "label": pd.array(labels_N, "Int32")})
    table.loc[40:, "label"] = pd.NA
    known = Clips(table.reindex(columns=SCHEMA.names), CLASSES, CLASSES)
    files = {}
    for stream, skill_NK in {"swin": good_NK, "pose": np.zeros((many, classes))}.items():
        for split, part in (("val", slice(20, 40)), ("test", slice(40, 60))):
            their = dumped(tmp_path / "their.pkl", of_mmaction2(softmax(skill_NK[part], axis=1), labels_N[part]))
            files.setdefault(stream, {})[split] = tmp_path / stream / f"{split}.parquet"
            import_scores(their, known, ids[part], files[stream][split])
    outputs = {split: tmp_path / f"{split}.parquet" for split in ("val", "test")}
    others = tmp_path / "held_out.parquet", tmp_path / "fusion.json", tmp_path / "summary.csv"
    run_ensemble("final", known, files, {"swin": [], "pose": []}, outputs, *others, Fitting("search"))
    predicted = read_predictions(outputs["test"])
    assert [predicted[clip_id].probabilities_K.argmax() for clip_id in ids[40:]] == good_NK[40:].argmax(1).tolist()


def test_the_command_tells_what_was_taken_over(tmp_path, capsys):
    write_clips(tmp_path / "clips.parquet", clips())
    (tmp_path / "val.txt").write_text("".join(f"{clip_id}.mp4 0\n" for clip_id in IDS))
    file = dumped(tmp_path / "their.pkl", of_mmaction2(PROBABILITIES_NK))
    options = ["--clips", "clips.parquet", "--ids", "val.txt", "--output", "val.parquet"]
    with pytest.raises(SystemExit, match="0"):
        main(["import-scores", str(file), *[part if part[0] == "-" else str(tmp_path / part) for part in options]])
    printed = capsys.readouterr().out
    assert all(fact in printed for fact in ("12 clips", "probabilities", "the labels of 12 agree", "0 clips"))


class Calls:
    """Unpickling it calls a function."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.reduced


def in_a_storage(canary):
    """Harm in the file within the pickle that a tensor's storage is."""
    inner = io.BytesIO()
    torch.save(Calls(os.mkdir, str(canary)), inner, _use_new_zipfile_serialization=False)
    return Calls(torch.storage._load_from_bytes, inner.getvalue())


HARMS = [
    (lambda canary: Calls(os.system, f"touch {canary}"), r"posix\.system"),
    (lambda canary: Calls(builtins.eval, f"open({str(canary)!r}, 'w')"), r"(__builtin__|builtins)\.eval"),
    (lambda canary: Calls(builtins.exec, f"open({str(canary)!r}, 'w')"), r"(__builtin__|builtins)\.exec"),
    (lambda canary: Calls(getattr(Path(canary), "touch")), r"(__builtin__|builtins)\.getattr"),  # noqa: B009
    (lambda canary: np.array([Calls(os.mkdir, str(canary))], object), r"an array of 'O8'|posix\.mkdir"),
    (lambda canary: {"pred_score": torch.ones(3), "more": Calls(os.mkdir, str(canary))}, r"posix\.mkdir"),
    (in_a_storage, r"posix\.mkdir"),
]


@pytest.mark.parametrize(("harm", "name"), HARMS)
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_would_run_is_named_and_does_nothing(tmp_path, harm, name, protocol):
    canary = tmp_path / "canary"
    file = dumped(tmp_path / "bad.pkl", [LOGITS_NK[0], harm(canary)], protocol)
    with pytest.raises(InputError, match=rf"bad\.pkl holds ({name}), .*nothing in it was run"):
        read_numbers(file)
    assert not canary.exists()
    pickle.loads(file.read_bytes())
    assert canary.exists()  # so the file was a harmful one


def reconstructed(shape, dtype, content):
    """An array that is made as NumPy's pickles make theirs, with whatever state."""
    state = 1, shape, dtype, False, content
    return Calls(np._core.multiarray._reconstruct, np.ndarray, (0,), b"b", state=state)


def storage_of(count):
    return Calls(torch.storage._load_from_bytes, torch_storage(count))


def torch_storage(count):
    file = io.BytesIO()
    torch.save(torch.ones(count)._typed_storage(), file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def rebuilt(offset, shape, strides):
    """A tensor as PyTorch's pickles make theirs, of a storage of four numbers."""
    return Calls(torch._utils._rebuild_tensor_v2, storage_of(4), offset, shape, strides, False, None)


F8 = np.dtype("f8")


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (reconstructed((10**12,), F8, bytes(8)), "cannot reshape"),
        (reconstructed((-1, -1), F8, bytes(8)), "only specify one unknown dimension"),
        (reconstructed((2**40, 0), F8, bytes(8)), "cannot reshape"),
        (reconstructed((1,), F8, [1.0]), "a bytes-like object is required"),
        (reconstructed((1,), np.dtype("U4"), bytes(16)), "an array of 'U4'"),
        (reconstructed((1,), np.dtype([("a", "f8")]), bytes(8)), "an array of 'V8'"),
        (rebuilt(0, (5,), (1,)), "storage of size 16"),
        (rebuilt(3, (2,), (1,)), "storage of size 16"),
        (rebuilt(-4, (2,), (1,)), "invalid storage offset -4"),
        (rebuilt(0, (10**9,), (0,)), "larger than its storage"),
        (Calls(torch._utils._rebuild_tensor_v2, "storage", 0, (2,), (1,), False, None), "'str' object"),
    ],
)
def test_arrays_that_are_not_what_they_say_are_refused(tmp_path, odd, message):
    with pytest.raises(InputError, match=message):
        read_numbers(dumped(tmp_path / "odd.pkl", odd))


def test_a_transposed_tensor_is_read(tmp_path):
    file = dumped(tmp_path / "their.pkl", torch.arange(6).reshape(2, 3).T)
    assert read_numbers(file).array.tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02]r\xff\xff\xff\x7f.", "a count beyond its length"),  # a place in the memo, for which 32 GB are taken
        (b"]p99999999999\n.", "a count beyond its length"),
        (b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"abc.", "expected 1099511627776 bytes"),
        (b"\x80\x02X" + struct.pack("<I", 2**31) + b"abc.", "expected 2147483648 bytes"),
        (b"\x80\x02cnumpy\ndtype\n}U\x01aK\x01sb.", "invalid partial state"),
        (b"\x80\x02cnumpy\ndtype\n)\x81.", "NEWOBJ"),
        (b"\x80\x02U\x01aQ.", "persistent"),
        (b"\x80\x02\x82\x01.", "unregistered extension code"),
        (b"", "pickle exhausted"),
        (b"<html>", "at position 0"),
    ],
)
def test_broken_and_sly_pickles_are_refused_within_little_memory(tmp_path, content, message):
    (tmp_path / "sly.pkl").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(InputError, match=rf"sly\.pkl (is not a pickle|holds)(?s:.*){message}"):
        read_numbers(tmp_path / "sly.pkl")
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def test_a_small_pickle_that_would_become_large_is_refused(tmp_path):
    text = b"X" + struct.pack("<I", 100_000) + b"x" * 100_000
    again = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    storage = b"B" + struct.pack("<I", len(torch_storage(10_000))) + torch_storage(10_000)
    loaded = b"ctorch.storage\n_load_from_bytes\nh\x00\x85R"
    for start, more in ((text, again), (storage, loaded)):
        (tmp_path / "bomb.pkl").write_bytes(b"\x80\x03]" + start + b"q\x00a" + (more + b"a") * 10_000 + b".")
        tracemalloc.start()
        with pytest.raises(InputError, match=r"bomb\.pkl holds the same bytes over and over, which"):
            read_numbers(tmp_path / "bomb.pkl")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
        tracemalloc.stop()


def test_any_damage_gives_numbers_or_a_refusal(tmp_path):
    contents = [pickle.dumps(of_mmaction2(LOGITS_NK[:3], LABELS_N[:3]), 2), pickle.dumps(list(LOGITS_NK[:3]), 4)]
    chance, refusals = random.Random(0), []
    for number in range(400):
        damaged = bytearray(contents[number % 2])
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        (tmp_path / "their.pkl").write_bytes(damaged[: chance.randint(1, len(damaged)) if number % 5 == 0 else None])
        try:
            read = read_numbers(tmp_path / "their.pkl")
        except InputError as error:
            refusals.append(str(error))
        else:
            assert isinstance(read, list | dict | tuple | str | int | float | bytes | Numbers | None)
    assert 100 < len(refusals) < 400


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with open(tmp_path / "large.pkl", "wb") as file:
        file.truncate(2 * 10**8 + 1)
    with pytest.raises(InputError, match=r"large\.pkl has 200,000,001 bytes"):
        read_numbers(tmp_path / "large.pkl")
    with pytest.raises(InputError, match=r"none\.pkl cannot be read: No such file"):
        read_numbers(tmp_path / "none.pkl")
