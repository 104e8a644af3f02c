"""A stream that starts from another corpus with the same recordings may have learnt from people in test."""

import copy

import pytest

from fixtures.project import TINY
from fixtures.release_files import keypoints, write_lines, write_npz
from microgesture.config.whole import load_config
from microgesture.errors import InputError
from microgesture.workflow.health import people_across_corpora
from microgesture.workflow.listings import declared, refresh_listings

MINE = {"a": "train", "b": "train", "c": "val", "d": "test"}


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Returns what is said of a stream on ``mine`` that starts from one on ``other``, whose recordings have splits."""
    monkeypatch.chdir(tmp_path)

    def tell(other, files=lambda name: f"{name}.npz", subject=lambda corpus, name: "", **settings):
        config = copy.deepcopy(TINY) | settings
        for corpus, splits in (("mine", MINE), ("other", other)):
            names = {name: files(name) if corpus == "other" else f"{name}.npz" for name in splits}
            for file in names.values():
                if not (tmp_path / "data" / file).exists():
                    write_npz(tmp_path / "data" / file, keypoints(2, 137))
            rows = [f"{name},{split},{subject(corpus, name)},wave,{names[name]}" for name, split in splits.items()]
            write_lines(tmp_path / f"data/{corpus}.csv", ["clip_id,split,subject,label,keypoints", *rows])
        allowed = config.pop("allowed", False)
        config["corpora"] = {
            name: {
                "format": "manifest",
                "root": f"data/{name}.csv",
                "allow_shared_subjects": allowed and name == "mine",
            }
            for name in ("mine", "other")
        }
        joint = config["streams"]["joint"]
        config["streams"] = {
            "first": joint | {"corpus": "other"},
            "second": joint | {"corpus": "mine", "init": "first"},
            "third": joint | {"corpus": "mine", "init": "second"},
        }
        config["ensembles"] = {"final": {"streams": ["third"]}}
        config = load_config(config)
        listings = {name: declared(config, name) for name in config.corpora}
        found = [finding.text.removeprefix("warning: ") for finding in people_across_corpora(config, listings)]
        said = [line for line in refresh_listings(config) if "starts from" in line]
        assert [line.removeprefix("Warning: ") for line in said] == found
        return said

    return tell


def test_a_recording_in_test_on_which_an_earlier_stream_is_trained_is_refused(told):
    with pytest.raises(InputError, match=r"second starts from first, .* 1 person of corpus other in test of mine"):
        told({"d": "train", "x": "train"})
    assert len(told({"d": "train", "x": "train"}, allowed=True)) == 2


def test_a_link_to_the_recording_is_the_recording(told, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/linked.npz").symlink_to("d.npz")
    with pytest.raises(InputError, match=r"in test of mine"):
        told({"e": "train"}, files=lambda name: "linked.npz")


def test_so_is_another_recording_of_a_person_in_test(told):
    with pytest.raises(InputError, match=r"subject Dora"):
        told(
            {"d": "test", "x": "train"},
            subject=lambda corpus, name: "Dora" if corpus == "other" else name,
        )


def test_names_alone_do_not_make_people_of_two_corpora_the_same(told):
    assert told({"x": "train"}, subject=lambda corpus, name: name if corpus == "mine" else "d") == []


def test_test_in_both_is_no_doubt_and_val_is_one(told):
    assert told({"a": "train", "d": "test", "x": "train"}) == []
    [second, third] = told({"c": "train"})
    assert "in val of mine" in second
    assert "stream third starts from first" in third


def test_with_folds_all_that_is_trained_on_is_measured(told):
    assert len(told({"a": "train", "x": "train"}, folds=2)) == 2
