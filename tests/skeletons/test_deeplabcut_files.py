"""DeepLabCut's h5, written by pandas as DeepLabCut does; its csv is the oracle."""

import pickle
import shutil

import numpy as np
import pandas as pd
import pytest

from fixtures.skeletons import the_person
from microgesture.errors import UnusableClip
from microgesture.skeletons.files import format_of, recognised
from microgesture.skeletons.reading import read_skeleton

h5py = pytest.importorskip("h5py")

PARTS, AXES = ("snout", "LeftEar", "RightEar"), ("x", "y", "likelihood")


def analysed(path, individuals=None, frames=5):
    """Write a table of an analysed video as csv and h5; return the path of the h5."""
    pytest.importorskip("tables")
    levels = [["DLC_resnet50"], *([individuals] if individuals else []), PARTS, AXES]
    names = ["scorer", *(["individuals"] if individuals else []), "bodyparts", "coords"]
    columns = pd.MultiIndex.from_product(levels, names=names)
    values_TN = np.random.default_rng(0).uniform(0.1, 1, (frames, len(columns)))
    values_TN[2, 3:6] = np.nan
    table = pd.DataFrame(values_TN, columns=columns)
    table.to_csv(path.with_suffix(".csv"))
    table.to_hdf(path, key="df_with_missing", format="table", mode="w")
    return path


def test_the_h5_has_the_points_of_the_csv(tmp_path):
    path = analysed(tmp_path / "clip.h5")
    assert recognised(path)
    from_h5, from_csv = (the_person(read_skeleton(one)) for one in (path, path.with_suffix(".csv")))
    assert from_h5.layout.names == ("snout", "left ear", "right ear")
    assert not from_h5.keypoints_TVC[2, 1].any()
    np.testing.assert_allclose(from_h5.keypoints_TVC, from_csv.keypoints_TVC, rtol=1e-6)
    assert from_h5.keypoints_TVC[0, 0].all()


def test_several_animals_keep_their_names(tmp_path):
    path = analysed(tmp_path / "clip.h5", ["mus1", "mus2"])
    from_h5, from_csv = (format_of(one).read(one) for one in (path, path.with_suffix(".csv")))
    np.testing.assert_allclose(from_h5.keypoints_TPVC, from_csv.keypoints_TPVC, rtol=1e-6)
    assert (from_h5.ids_TP == from_csv.ids_TP).all()
    assert set(from_h5.ids_TP[0]) == {"mus1", "mus2"}


def by_hand(path, names=None, kind=None):
    """Write the parts of such a table that are read, for one animal with one body part, without PyTables."""
    rows = np.zeros(3, [("index", "i8"), ("values_block_0", "f8", (3,))])
    rows["index"], rows["values_block_0"] = range(3), 0.5
    with h5py.File(path, "w") as file:
        table = file.create_group("df_with_missing").create_dataset("table", data=rows)
        found = names or [("net", "nose", axis) for axis in AXES]
        table.attrs["values_block_0_kind"] = np.bytes_(kind or pickle.dumps(found, 0))
    return path


def test_a_table_without_pytables_is_the_same(tmp_path):
    np.testing.assert_array_equal(format_of(by_hand(tmp_path / "a.h5")).read(tmp_path / "a.h5").keypoints_TPVC, 0.5)


class Evil:
    """Makes a file in the current folder when it is unpickled."""

    def __reduce__(self):
        return open, ("made_by_the_pickle", "w")


def test_no_code_in_the_names_of_columns_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = by_hand(tmp_path / "a.h5", kind=pickle.dumps([Evil()], 0))
    with pytest.raises(UnusableClip, match="export csv"):
        format_of(path).read(path)
    assert not (tmp_path / "made_by_the_pickle").exists()


@pytest.mark.parametrize("names", [[("a", "b")], [1], "x", [("net", "nose", "x")]])
def test_names_of_another_form_are_refused(tmp_path, names):
    path = by_hand(tmp_path / "a.h5", names)
    with pytest.raises(UnusableClip, match=r"a\.h5"):
        format_of(path).read(path)


def test_a_table_in_another_file_is_not_followed(tmp_path):
    secret = by_hand(tmp_path / "secret.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["df_with_missing"] = h5py.ExternalLink(str(secret), "df_with_missing")
    with pytest.raises(UnusableClip, match="not in this file"):
        format_of(tmp_path / "a.h5").read(tmp_path / "a.h5")


def test_damage_is_refused(tmp_path):
    whole = by_hand(tmp_path / "a.h5").read_bytes()
    for size in (100, 800, len(whole) // 2, len(whole) - 8):
        (tmp_path / "b.h5").write_bytes(whole[:size])
        with pytest.raises(UnusableClip, match=r"b\.h5"):
            format_of(tmp_path / "b.h5").read(tmp_path / "b.h5")


def test_frames_out_of_order_are_refused(tmp_path):
    shutil.copy(by_hand(tmp_path / "a.h5"), tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5", "r+") as file:
        rows = file["df_with_missing/table"][()]
        rows["index"] = [0, 2, 3]
        file["df_with_missing/table"][...] = rows
    with pytest.raises(UnusableClip, match="frames are missing"):
        format_of(tmp_path / "b.h5").read(tmp_path / "b.h5")
